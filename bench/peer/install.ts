/** The peers' packages, installed beside their scripts when first needed; the product depends on none of them. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Stage } from '../stage.ts'

const FOLDER = join(import.meta.dirname, '..', 'peers')
const MODULES = join(FOLDER, 'node_modules')
/** What was installed last: a copy of package.json. */
const MARK = join(MODULES, '.rota-bench')
const INSTALL_MS = 180_000

export type Installed =
  | { readonly kind: 'installed'; readonly versions: Readonly<Record<string, string>> }
  | { readonly kind: 'absent'; readonly why: string }

/** Absent peers are no error: figures of Rota are good without them. */
export async function installPeers(stage: Pick<Stage, 'say'>): Promise<Installed> {
  const wanted = await readFile(join(FOLDER, 'package.json'), 'utf8')
  const mark = existsSync(MARK) ? await readFile(MARK, 'utf8') : ''
  if (mark !== wanted) {
    stage.say('installing the peers (npm install --prefix bench/peers) ...')
    try {
      // Without a lock file, also where it does not read .npmrc there: see that file.
      const flags = ['--prefix', FOLDER, '--no-package-lock', '--no-audit', '--no-fund']
      await promisify(execFile)('npm', ['install', ...flags], { timeout: INSTALL_MS })
      await writeFile(MARK, wanted)
    } catch (error) {
      return { kind: 'absent', why: `no peers: npm could not install them: ${reasonOf(error)}` }
    }
  }
  const { dependencies } = JSON.parse(wanted) as { dependencies: Record<string, string> }
  return { kind: 'installed', versions: dependencies }
}

/** The first line in which npm says what is wrong, else why it did not run at all. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const said = 'stderr' in error ? String(error.stderr) : ''
  const line = said.split('\n').find((each) => each.includes('error'))
  return (line ?? error.message).trim().slice(0, 200)
}

/**
 * The README's first command on a clean clone, as an ordinary user whose home and clone nobody else may enter. Needs root
 * to become that user; what it tests of root itself is in dev.test.ts.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningProcess, runRota, startProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** `nobody`: exists everywhere, owns nothing. */
const UID = 65_534
const isRoot = process.getuid?.() === 0

describe.runIf(isRoot)('a clean clone, as an ordinary user', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-clone-'))
  const home = join(folder, 'home')
  const clone = join(home, 'rota')
  const env = { HOME: home, USER: 'nobody', ROTA_DATA_DIR: '' }
  let dev: RunningProcess

  beforeAll(() => {
    mkdirSync(home)
    execFileSync('git', ['clone', '--quiet', '--local', '--no-hardlinks', ROOT, clone])
    execFileSync('chown', ['-R', `${UID}:${UID}`, home])
    // What `npm install` would bring: the same files, linked (and so left to their owner), without asking a registry.
    execFileSync('cp', ['-al', join(ROOT, 'node_modules'), join(clone, 'node_modules')])
    chmodSync(folder, 0o755)
    chmodSync(home, 0o700)
    chmodSync(clone, 0o700)
  })

  afterAll(async () => {
    dev?.kill('SIGKILL')
    await dev?.exit
    rmSync(folder, { recursive: true, force: true })
  })

  it('starts, runs a job of a person, and stops', async () => {
    const ports = ['--grpc-port', '0', '--http-port', '0', '--agents', '2']
    dev = startProcess({ args: ['cli/main.ts', 'dev', ...ports], env, root: clone, uid: UID })
    await until('it is ready', () => dev.lines.includes('rota is ready'), 30_000)
    const user = { env, root: clone, uid: UID }
    expect(await runRota(['job', 'create', 'hello', '--command', 'id -u'], user)).toMatchObject({
      code: 0,
    })
    const ran = await runRota(['job', 'trigger', 'hello', '--wait', '--follow'], user)
    expect(ran).toMatchObject({ code: 0, stdout: `${UID}\n` })
    dev.kill('SIGINT')
    expect(await dev.exit).toBe(0)
  })
})

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { ensureApiToken } from './identity-queries.ts'
import { hashSecret } from './principal.ts'

/** Makes the admin token of a data folder at its first start (mode 0600), and sees to it that the database knows it. */
export async function ensureAdminToken(
  deps: Pick<Deps, 'db' | 'clock' | 'random'>,
  file: string,
): Promise<void> {
  const secret = (await readSecret(file)) ?? (await writeSecret(deps, file))
  const id = newId(deps.clock, deps.random)
  await ensureApiToken(deps.db, { id, name: 'admin', secretHash: hashSecret(secret) })
}

async function readSecret(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim() || undefined
  } catch (error) {
    if (Reflect.get(error as object, 'code') === 'ENOENT') return undefined
    throw error
  }
}

async function writeSecret({ random }: Pick<Deps, 'random'>, file: string): Promise<string> {
  const secret = `rota-${random.bytes(32).toString('base64url')}`
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(`${file}.draft`, `${secret}\n`, { mode: 0o600 })
  await rename(`${file}.draft`, file)
  return secret
}

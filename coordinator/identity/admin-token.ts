import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { readText, writeWhole } from './identity-files.ts'
import { ensureApiToken } from './identity-queries.ts'
import { hashSecret } from './principal.ts'

/** Makes the admin token of a data folder at its first start (mode 0600), and sees to it that the database knows it. */
export async function ensureAdminToken(
  deps: Pick<Deps, 'db' | 'clock' | 'random'>,
  file: string,
): Promise<void> {
  const secret = (await readText(file))?.trim() || (await writeSecret(deps, file))
  const id = newId(deps.clock, deps.random)
  await ensureApiToken(deps.db, { id, name: 'admin', secretHash: hashSecret(secret) })
}

async function writeSecret({ random }: Pick<Deps, 'random'>, file: string): Promise<string> {
  const secret = `rota-${random.bytes(32).toString('base64url')}`
  await writeWhole(file, `${secret}\n`, 0o600)
  return secret
}

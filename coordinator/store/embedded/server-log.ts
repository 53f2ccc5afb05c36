/** The log file of an embedded server. */
import { chown, open, readFile, stat, truncate } from 'node:fs/promises'
import type { ServerUser } from './server-user.ts'

const LOG_BYTES_MAX = 10 * 1024 * 1024

/** Opens it for appending; whoever serves later must be able to open it too. */
export async function openServerLog(file: string, user: ServerUser | undefined) {
  const handle = await open(file, 'a', 0o600)
  if (user !== undefined) await chown(file, user.uid, user.gid)
  return handle
}

/** Empties it when it has grown too large. The server appends, so it goes on at the new end. */
export async function trimServerLog(file: string): Promise<void> {
  const stats = await stat(file).catch(() => undefined)
  if (stats !== undefined && stats.size > LOG_BYTES_MAX) await truncate(file)
}

/** The last lines, for an error message; empty when there are none. */
export async function lastServerLines(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trimEnd().split('\n').slice(-5).join('\n')
}

/** PostgreSQL refuses to run as root. Then it runs as another user, who must reach its files. */
import type { Stats } from 'node:fs'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** The user and group that the server runs as. */
export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

/** Bit of a file mode: the right to read a file, or to list a folder. */
export const READ = 4
/** Bit of a file mode: the right to run a file, or to pass a folder. */
export const ENTER = 1

/** What Linux distributions give `nobody` when their list of users does not say. */
const NOBODY: ServerUser = { uid: 65_534, gid: 65_534 }

/** The user `nobody` of this host. */
export async function findNobody(passwdFile = '/etc/passwd'): Promise<ServerUser> {
  const users = await readFile(passwdFile, 'utf8').catch(() => '')
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(users) ?? []
  return uid === undefined || gid === undefined ? NOBODY : { uid: Number(uid), gid: Number(gid) }
}

/** True when `user` may do `wanted` (bits of READ and ENTER) with `path` and may pass every folder above it. */
export async function isReachable(
  path: string,
  user: ServerUser,
  wanted: number,
): Promise<boolean> {
  let current: string
  try {
    current = await realpath(path)
    if (!isAllowed(await stat(current), user, wanted)) return false
  } catch {
    return false
  }
  while (current !== dirname(current)) {
    current = dirname(current)
    if (!isAllowed(await stat(current), user, ENTER)) return false
  }
  return true
}

/** The rule of path_resolution(7): the first class that fits decides. */
export function isAllowed(
  { mode, uid, gid }: Pick<Stats, 'mode' | 'uid' | 'gid'>,
  user: ServerUser,
  wanted: number,
): boolean {
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & wanted) === wanted
}

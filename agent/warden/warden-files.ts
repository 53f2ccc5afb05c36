/** Where a warden lies in the data folder of its agent; a folder that no other user may enter, for who reaches the socket commands. */
import { dirname, join } from 'node:path'
import { wardenLock } from '../../shared/data-dir.ts'

export function wardenFiles(dataDir: string) {
  const folder = dirname(wardenLock(dataDir))
  return {
    folder,
    /** Held as long as a warden lives. */
    lock: wardenLock(dataDir),
    /** How attempts ended; see end-log.ts. */
    ends: join(folder, 'ends'),
    /** What it could tell nobody else. */
    log: join(folder, 'log'),
    attempts: join(dataDir, 'attempts'),
  }
}

/** In `folder`. */
export const SOCKET_NAME = 'socket'

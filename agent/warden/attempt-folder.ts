/** Files of an attempt that belong to its warden. */
import { join } from 'node:path'

export function attemptFolder(attemptsDir: string, key: string) {
  const folder = join(attemptsDir, key)
  return {
    folder,
    stdout: join(folder, 'stdout'),
    stderr: join(folder, 'stderr'),
    /** How it ended; see end-file.ts. */
    end: join(folder, 'end.json'),
    endDraft: join(folder, 'end.draft'),
  }
}

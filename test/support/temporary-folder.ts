import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TemporaryFolder {
  /** Without symlinks; others may pass it. */
  readonly path: string
  /** Ends the PostgreSQL servers whose data lies in it, unmounts what is mounted right in it, and removes it. */
  remove(): Promise<void>
}

/** Waits for the end of its input, which comes also when we are killed. */
const CLEAN_UP = `
cat > /dev/null
servers=$(find "$0" -name postmaster.pid -exec head -n 1 {} \\; 2> /dev/null)
for pid in $servers; do kill -QUIT "$pid"; kill -CONT "$pid"; done 2> /dev/null
for pid in $servers; do while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done; done
for folder in "$0"/*/; do umount "$folder" 2> /dev/null; done
rm -rf "$0"
`

/** A folder for files and PostgreSQL servers of a test; nothing of it outlives this process, however it ends. */
export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  // As root, PostgreSQL runs as another user, who may not pass a TMPDIR of root's own.
  const parent = process.getuid?.() === 0 ? '/tmp' : tmpdir()
  const path = await realpath(await mkdtemp(join(parent, 'rota-test-')))
  await chmod(path, 0o711)
  const cleaner = spawn('/bin/sh', ['-c', CLEAN_UP, path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const isClean = once(cleaner, 'exit')
  return {
    path,
    async remove() {
      cleaner.stdin.end()
      await isClean
    },
  }
}

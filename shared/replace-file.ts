import { rename, writeFile } from 'node:fs/promises'

/** Writes `file` (mode 0600) in one step: a reader, or a start after a crash, finds the old content or the new. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`
  await writeFile(draft, content, { mode: 0o600 })
  await rename(draft, file)
}

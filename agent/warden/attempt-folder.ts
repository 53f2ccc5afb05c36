/** Files of an attempt that belong to its warden. */
export function attemptFolder(attemptsDir: string, key: string) {
  const folder = `${attemptsDir}/${key}`
  return {
    folder,
    stdout: `${folder}/stdout`,
    stderr: `${folder}/stderr`,
    /** How it ended; see end-file.ts. */
    end: `${folder}/end.json`,
    endDraft: `${folder}/end.draft`,
  }
}

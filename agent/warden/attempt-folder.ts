/** Files of an attempt that belong to its warden. */
export function attemptFolder(attemptsDir: string, key: string) {
  const folder = `${attemptsDir}/${key}`
  return {
    folder,
    ...outputFiles(folder),
    /** How it ended, as wardens of the release before wrote it. */
    end: `${folder}/end.json`,
  }
}

/** What the attempt of a folder writes. */
export function outputFiles(folder: string) {
  return { stdout: `${folder}/stdout`, stderr: `${folder}/stderr` }
}

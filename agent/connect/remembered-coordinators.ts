/** Addresses that outlive the agent's process; what is lost of them is only time. */
import { readFileSync } from 'node:fs'
import type { Logger } from '../../shared/logger.ts'
import { replaceFile } from '../../shared/replace-file.ts'

/** Empty when there are none, or the file is damaged. */
export function readRemembered(file: string): readonly string[] {
  try {
    const addresses: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(addresses) ? addresses.filter((each) => typeof each === 'string') : []
  } catch {
    return []
  }
}

/** Writes one after the other, and only what has changed. */
export function rememberIn(file: string, logger: Logger): (addresses: readonly string[]) => void {
  let written = JSON.stringify(readRemembered(file))
  let writing: Promise<void> = Promise.resolve()
  return (addresses) => {
    const text = JSON.stringify(addresses)
    if (text === written) return
    written = text
    writing = writing
      .then(() => replaceFile(file, text))
      .catch((error: unknown) => logger.warn({ err: error }, 'the coordinators are not remembered'))
  }
}

/** Starts the process of a warden, which outlives the one that starts it. */
import { spawn } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Logger } from '../../shared/logger.ts'
import { WARDEN } from '../../shared/programs.ts'
import { wardenFiles } from './warden-files.ts'

/** A log that grew larger is begun anew, in bytes. */
const LOG_BYTES_MAX = 1024 * 1024

export interface WardenPlace {
  readonly dataDir: string
  readonly compileCache: string | undefined
  readonly logger: Logger
}

/** Whether it came up is seen by its lock. */
export function startWarden({ compileCache, dataDir, logger }: WardenPlace): void {
  const { folder, log } = wardenFiles(dataDir)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Who reaches the socket commands; a folder that is there already may have had another mode.
  chmodSync(folder, 0o700)
  const isLong = (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX
  const output = openSync(log, isLong ? 'w' : 'a', 0o600)
  try {
    const script = fileURLToPath(WARDEN.script)
    const child = spawn(process.execPath, [...WARDEN.nodeFlags, script, dataDir], {
      cwd: dataDir,
      detached: true,
      // Nothing of the agent's own environment: jobs bring theirs.
      env: compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache },
      stdio: ['ignore', 'ignore', output],
    })
    child.once('error', (error) => logger.error({ err: error }, 'the warden cannot be started'))
    child.unref()
  } finally {
    closeSync(output)
  }
}

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Program } from '../shared/programs.ts'

/** Exit code of a process that a signal ended, as shells count. */
const SIGNALLED = 128

/**
 * Replaces this process by Node running `program`, so that signals, exit code and process id are its own. Where a process
 * cannot be replaced (Windows) it runs as a child; resolves with its exit code.
 */
export async function becomeProgram(program: Program, args: readonly string[]): Promise<number> {
  const argv = [...program.nodeFlags, fileURLToPath(program.script), ...args]
  if (process.platform !== 'win32') process.execve?.(process.execPath, [process.execPath, ...argv])
  const child = spawn(process.execPath, argv, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal))
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? SIGNALLED))
  })
}

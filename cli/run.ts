import { CommanderError } from 'commander'
import type { Run } from './action.ts'
import { exitCodeOf, renderError, renderErrorStatus, toRotaError } from './errors.ts'
import { EXIT } from './exit-codes.ts'
import { machineFormat } from './global-options.ts'
import { type Host, writeAll } from './host.ts'
import { buildProgram } from './program.ts'

/** Runs one command line, without the two first words of `process.argv`; resolves with the exit code. Never rejects. */
export async function runCli(argv: readonly string[], host: Host): Promise<number> {
  const run: Run = { host, exitCode: EXIT.ok }
  try {
    const program = await buildProgram(argv, run)
    await program.parseAsync(argv, { from: 'user' })
    return run.exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    // A group without a command: its help stands on stderr already.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage
    return reportError(error, argv, host)
  }
}

async function reportError(thrown: unknown, argv: readonly string[], host: Host): Promise<number> {
  const error = toRotaError(thrown)
  const format = machineFormat(argv)
  if (format !== undefined) {
    await writeAll(host.stdout, await renderErrorStatus(error, format))
    // On a terminal both would stand below each other and say the same.
    if (host.stdout.isTTY && host.stderr.isTTY) return exitCodeOf(error)
  }
  await writeAll(host.stderr, await renderError(error))
  return exitCodeOf(error)
}

import type { Command, OptionValues } from 'commander'
import type { Api } from './client.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { addGlobalOptions, type GlobalOptions, readGlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'

/** One run of the program. The command that was wanted leaves its exit code here. */
export interface Run {
  readonly host: Host
  exitCode: number
}

/** What a command works with. */
export interface Invocation {
  readonly host: Host
  readonly options: GlobalOptions
  /** Aborts on Ctrl-C. */
  readonly interrupted: AbortSignal
  /** Finds the coordinator and makes its clients; the connection itself begins with the first call. */
  connect(): Promise<Api>
}

/** A command's work. No exit code means 0. */
export type Handler<O, A extends readonly (string | undefined)[]> = (
  invocation: Invocation,
  options: O,
  ...args: A
) => Promise<ExitCode | undefined>

/** Makes `handler` what `command` does. `O` and `A` are what the command declares as options and arguments. */
export function setAction<O extends object, A extends readonly (string | undefined)[]>(
  command: Command,
  run: Run,
  handler: Handler<O, A>,
): void {
  addGlobalOptions(command)
  command.action(async () => {
    let api: Api | undefined
    const { host } = run
    const options = readGlobalOptions(command)
    const interrupted = host.interruptSignal()
    const invocation: Invocation = {
      host,
      options,
      interrupted,
      async connect() {
        // grpc-js is half of the start-up time, so commands that talk to nobody do not load it.
        const [{ findServer }, { openApi }] = await Promise.all([
          import('./context.ts'),
          import('./client.ts'),
        ])
        api ??= openApi(findServer(host, options), { host, options, interrupted })
        return api
      },
    }
    try {
      const values: OptionValues = command.opts()
      // Commander has checked the arguments against the declaration, and gives them as strings.
      run.exitCode =
        (await handler(invocation, values as O, ...(command.args as unknown as A))) ?? EXIT.ok
    } catch (error) {
      if (!interrupted.aborted) throw error
      run.exitCode = EXIT.interrupted
    } finally {
      api?.close()
    }
  })
}

/** Examples at the end of a command's help. */
export function addExamples(command: Command, ...lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

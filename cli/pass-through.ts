import type { Command } from 'commander'
import type { Program } from '../shared/programs.ts'
import type { Run } from './action.ts'

interface Becoming {
  readonly program: Program
  /** Words before the options. */
  readonly verbs: readonly string[]
}

/** Makes `command` another program of Rota, with the options that were given to it; the CLI then is no more. */
export function passThrough(command: Command, run: Run, { program, verbs }: Becoming): void {
  command.action(async () => {
    run.exitCode = await run.host.become(program, [...verbs, ...givenOptions(command)])
  })
}

/** The options of the command line, also those before the command; defaults are for the program to know. */
function givenOptions(command: Command): string[] {
  const places = [command, command.parent?.parent]
  return command.options.flatMap((option) => {
    const name = option.attributeName()
    const place = places.find((each) => each?.getOptionValueSource(name) === 'cli')
    return place ? [option.long ?? '', String(place.getOptionValue(name))] : []
  })
}

/**
 * The tree of commands. A command group's module is loaded only when that group is wanted: `rota version` never reads the
 * code of `rota job`. The others stand in the tree by name, for the help and for "did you mean".
 */
import { Command, Help } from 'commander'
import type { Run } from './action.ts'
import { addProgramOptions, commandNames } from './global-options.ts'

interface Group {
  readonly name: string
  readonly summary: string
  readonly heading: string
  /** Loads the module and adds the group's command to the program. */
  readonly register: (program: Command, run: Run) => Promise<void>
}

const GROUPS: readonly Group[] = [
  {
    name: 'dev',
    summary: 'run a whole cluster on this host, with sample jobs',
    heading: 'Start:',
    register: async (...to) => (await import('./commands/dev.ts')).registerDev(...to),
  },
  {
    name: 'server',
    summary: 'run a coordinator',
    heading: 'Start:',
    register: async (...to) => (await import('./commands/server.ts')).registerServer(...to),
  },
  {
    name: 'agent',
    summary: 'run an agent on this host, or join it to a coordinator',
    heading: 'Start:',
    register: async (...to) => (await import('./commands/agent.ts')).registerAgent(...to),
  },
  {
    name: 'job',
    summary: 'define, change, trigger and watch jobs',
    heading: 'Jobs and runs:',
    register: async (...to) => (await import('./commands/job.ts')).registerJob(...to),
  },
  {
    name: 'schedule',
    summary: 'see what a schedule would do, without a coordinator',
    heading: 'Jobs and runs:',
    register: async (...to) => (await import('./commands/schedule.ts')).registerSchedule(...to),
  },
  {
    name: 'calendar',
    summary: 'name days on which schedules run, or do not',
    heading: 'Jobs and runs:',
    register: async (...to) => (await import('./commands/calendar.ts')).registerCalendar(...to),
  },
  {
    name: 'freeze',
    summary: 'let nothing that is due run for a while',
    heading: 'Jobs and runs:',
    register: async (...to) => (await import('./commands/freeze.ts')).registerFreeze(...to),
  },
  {
    name: 'exec',
    summary: 'see, follow and cancel executions',
    heading: 'Jobs and runs:',
    register: async (...to) => (await import('./commands/exec.ts')).registerExec(...to),
  },
  {
    name: 'worker',
    summary: 'see the workers and what they can do',
    heading: 'Fleet:',
    register: async (...to) => (await import('./commands/worker.ts')).registerWorker(...to),
  },
  {
    name: 'token',
    summary: 'make tokens that new agents join with',
    heading: 'Fleet:',
    register: async (...to) => (await import('./commands/token.ts')).registerToken(...to),
  },
  {
    name: 'status',
    summary: 'the whole cluster on one screen',
    heading: 'Observe:',
    register: async (...to) => (await import('./commands/status.ts')).registerStatus(...to),
  },
  {
    name: 'upcoming',
    summary: 'what is due next, and how dense it is',
    heading: 'Observe:',
    register: async (...to) => (await import('./commands/upcoming.ts')).registerUpcoming(...to),
  },
  {
    name: 'events',
    summary: 'follow what changes, as it happens',
    heading: 'Observe:',
    register: async (...to) => (await import('./commands/events.ts')).registerEvents(...to),
  },
  {
    name: 'version',
    summary: 'the version of this program and of the coordinator',
    heading: 'Other:',
    register: async (...to) => (await import('./commands/version.ts')).registerVersion(...to),
  },
]

/** The program, with the group that `argv` names loaded. */
export async function buildProgram(argv: readonly string[], run: Run): Promise<Command> {
  const program = rootCommand(run)
  const [first, second] = commandNames(argv)
  const wanted = first === 'help' ? second : first
  for (const group of GROUPS) {
    if (group.name === wanted) await group.register(program, run)
    else program.command(group.name)
    const command = program.commands.find((candidate) => candidate.name() === group.name)
    command?.summary(group.summary).helpGroup(group.heading)
  }
  return program
}

function rootCommand({ host }: Run): Command {
  const program = new Command('rota')
    .usage('COMMAND [options]')
    .description('Rota, a distributed job scheduler.')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      getOutHelpWidth: () => host.stdout.columns ?? 80,
      getErrHelpWidth: () => host.stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // run.ts prints errors in the one form that all of them have.
      outputError: () => undefined,
    })
    .configureHelp({ subcommandTerm: termOf, visibleCommands })
    .helpOption('-h, --help', 'show this help')
    .addHelpCommand(helpCommand())
    .addHelpText(
      'after',
      '\nEvery command takes -o json (or yaml, jsonl, wide, name) and says where the\ncoordinator is with --address; see COMMAND --help.\n\nFirst steps:\n  rota status\n  rota job create hello --command "date" --schedule "every 10s"\n  rota job trigger hello --follow',
    )
  addProgramOptions(program)
  return program
}

function helpCommand(): Command {
  const command = new Command('help').argument('[command]').summary('the same as COMMAND --help')
  return command.helpGroup('Other:')
}

/** `rota job help` works too, but is not worth a line in each group. */
function visibleCommands(command: Command): Command[] {
  const all = new Help().visibleCommands(command)
  return command.parent === null ? all : all.filter((child) => child.name() !== 'help')
}

/** `get <name>`: that there are options goes without saying. */
function termOf(command: Command): string {
  const term = command.registeredArguments.map((argument) =>
    argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`,
  )
  return command.name() + term.join('')
}

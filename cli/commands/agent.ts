import type { Command } from 'commander'
import { AGENT } from '../../shared/programs.ts'
import { addExamples, type Run } from '../action.ts'
import { passThrough } from '../pass-through.ts'

/** `rota agent ...` */
export function registerAgent(program: Command, run: Run): void {
  const agent = program
    .command('agent')
    .description('Run an agent on this host, or join it to a coordinator.')

  const start = addAgentOptions(agent.command('run')).description(
    'Run the agent in the foreground until a signal; joins first when it must. Ctrl-C ends what it runs too; after SIGTERM the commands of jobs go on, and the next start takes them back.',
  )
  addExamples(
    start,
    'rota agent run',
    'rota agent run --coordinator scheduler.example:7420 --name worker-13 --join-token-file token',
  )
  passThrough(start, run, { program: AGENT, verbs: ['run'] })

  const join = addAgentOptions(agent.command('join')).description(
    'Join this host with a token: makes its key, gets its certificate, and ends.',
  )
  addExamples(
    join,
    'rota agent join --coordinator scheduler.example:7420 --name worker-13 --join-token-file token',
    'ROTA_JOIN_TOKEN=... rota agent join --coordinator scheduler.example:7420',
  )
  passThrough(join, run, { program: AGENT, verbs: ['join'] })
}

function addAgentOptions(command: Command): Command {
  return command
    .option('--data-dir <path>', 'key, certificate and journal (default ~/.rota/agent)')
    .option(
      '--coordinator <host:port>',
      'several, comma-separated, are tried in turn (default: as joined)',
    )
    .option('--name <name>', 'name of the worker (default: as joined, else the host name)')
    .option('--capabilities <list>', 'what it can do (default shell,script,api)')
    .option('--labels <list>', 'for selectors of jobs, e.g. region=eu,tier=canary')
    .option('--slots <count>', 'attempts at once (default: the number of CPUs)')
    .option(
      '--join-token-file <file>',
      'token of `rota token create`; or the token in ROTA_JOIN_TOKEN',
    )
    .option('--handlers-dir <path>', 'modules with handlers of your own')
    .option('--shell <path>', 'runs shell jobs (default /bin/sh)')
    .option('--log-level <level>', 'trace, debug, info (default), warn, error')
    .addHelpText(
      'after',
      '\nEach is also a variable, e.g. ROTA_SLOTS. Logs are JSON lines on stderr.',
    )
}

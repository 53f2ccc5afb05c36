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
    'Run the agent in the foreground until SIGTERM or Ctrl-C. Joins first when it must.',
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
    .option('--data-dir <path>', 'key, certificate and journal of this agent')
    .option('--coordinator <host:port>', 'the coordinator; several are separated by commas')
    .option('--name <name>', 'name of the worker (default: the host name)')
    .option('--capabilities <list>', 'what it can do, e.g. shell,script,api')
    .option('--labels <list>', 'e.g. region=eu,tier=canary')
    .option('--slots <count>', 'attempts at once')
    .option(
      '--join-token-file <file>',
      'file that holds a join token (or environment ROTA_JOIN_TOKEN)',
    )
    .addHelpText('after', '\nA join token is made by: rota token create')
}

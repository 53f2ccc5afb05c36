import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { repeatable } from '../option-values.ts'
import { addListOptions } from '../paging.ts'
import { cancelExecution } from './exec/cancel.ts'
import { showTimeline, watchExecution } from './exec/events.ts'
import { explainExecution } from './exec/explain.ts'
import { getExecution } from './exec/get.ts'
import { listExecutions } from './exec/list.ts'
import { showLogs } from './exec/logs.ts'
import { waitForExecution } from './exec/wait.ts'

/** `rota exec ...` */
export function registerExec(program: Command, run: Run): void {
  const exec = program
    .command('exec')
    .description('See, follow and cancel executions: single runs of jobs.')
    .addHelpText(
      'after',
      '\nEXECUTION is an id, at least the first 8 characters of one, or @last for the newest (of --job).',
    )
  registerReaders(exec, run)
  registerWaiters(exec, run)
}

/** What narrows a list of executions, beside the job. */
export function addExecutionListOptions(command: Command): Command {
  return addListOptions(command)
    .option('--state <state>', 'only in this state, e.g. failed; may be repeated', repeatable)
    .option('--since <duration>', 'only those created within it, e.g. 24h')
}

function registerReaders(exec: Command, run: Run): void {
  const list = exec.command('list').description('List executions, newest first.')
  addExecutionListOptions(list.option('--job <name>', 'only those of this job'))
  addExamples(
    list,
    'rota exec list --state failed --since 24h',
    'rota exec list --job backup -o wide',
  )
  setAction(list, run, listExecutions)

  const get = oneExecution(exec, 'get').description('Show an execution with all its attempts.')
  addExamples(get, 'rota exec get @last', 'rota exec get 0198c5d2-7a1b -o json')
  setAction(get, run, getExecution)

  const explain = oneExecution(exec, 'explain').description(
    'Say why an execution is where it is: what each worker lacks, and what would let it start.',
  )
  addExamples(explain, 'rota exec explain @last --job backup', 'rota exec explain 0198c5d2-7a1b')
  setAction(explain, run, explainExecution)

  const events = oneExecution(exec, 'events').description(
    'Show what happened to an execution, step by step.',
  )
  addExamples(
    events,
    'rota exec events @last --job backup',
    'rota exec events 0198c5d2-7a1b -o wide',
  )
  setAction(events, run, showTimeline)

  const logs = oneExecution(exec, 'logs')
    .description('Print the output of an execution: its stdout to stdout, its stderr to stderr.')
    .option('-f, --follow', 'go on until it ends')
    .option('--tail <lines>', 'only the last lines')
    .option('--attempt <number>', 'only of this attempt (default: all of them in order)')
  addExamples(
    logs,
    'rota exec logs -f @last --job backup',
    'rota exec logs 0198c5d2-7a1b --tail 100',
  )
  setAction(logs, run, showLogs)
}

function registerWaiters(exec: Command, run: Run): void {
  const wait = oneExecution(exec, 'wait')
    .description('Wait until an execution has ended; exit code 10 when it failed.')
    .option('--follow', 'show its output meanwhile')
    .option('--timeout <duration>', 'wait no longer than this; exit code 8 when it still runs')
  addExamples(wait, 'rota exec wait @last --timeout 10m', 'rota exec wait 0198c5d2-7a1b --follow')
  setAction(wait, run, waitForExecution)

  const watch = oneExecution(exec, 'watch').description(
    'Show what happens to an execution until it has ended; exit code 10 when it failed.',
  )
  addExamples(watch, 'rota exec watch @last', 'rota exec watch 0198c5d2-7a1b -o jsonl')
  setAction(watch, run, watchExecution)

  const cancel = oneExecution(exec, 'cancel')
    .description(
      'Cancel an execution: TERM to its processes, KILL after the grace period of the job.',
    )
    .option('--reason <text>', 'why, for whoever finds it cancelled')
    .option('--force', 'no grace period')
  addExamples(
    cancel,
    'rota exec cancel @last --job backup',
    'rota exec cancel 0198c5d2-7a1b --reason "wrong day"',
  )
  setAction(cancel, run, cancelExecution)
}

function oneExecution(exec: Command, name: string): Command {
  return exec
    .command(name)
    .argument('<execution>', 'its id, the beginning of it, or @last')
    .option('--job <name>', 'the job whose @last is meant')
}

import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { repeatable } from '../option-values.ts'
import { addListOptions } from '../paging.ts'
import { showHistory } from './exec/list.ts'
import { addExecutionListOptions } from './exec.ts'
import { backfillJob } from './job/backfill.ts'
import { deleteJob, pauseJob, resumeJob } from './job/control.ts'
import { createJob } from './job/create.ts'
import { addJobFlags } from './job/flags.ts'
import { getJob } from './job/get.ts'
import { listJobs } from './job/list.ts'
import { showOccurrences } from './job/occurrences.ts'
import { skipJob } from './job/skip.ts'
import { getJobStatus } from './job/status.ts'
import { triggerJob } from './job/trigger.ts'
import { updateJob } from './job/update.ts'
import { listVersions, rollbackJob } from './job/versions.ts'
import { addUpcomingOptions, listUpcomingOfJob } from './upcoming.ts'

/** `rota job ...` */
export function registerJob(program: Command, run: Run): void {
  const job = program.command('job').description('Define, change, trigger and watch jobs.')
  registerReaders(job, run)
  registerWriters(job, run)
  registerVersions(job, run)
  registerSwitches(job, run)
  registerTrigger(job, run)
  registerBackfill(job, run)
}

function registerReaders(job: Command, run: Run): void {
  const list = job.command('list').description('List jobs.')
  addListOptions(list).option(
    '--query <text>',
    'only jobs in whose name, description, command or labels it is found',
  )
  addExamples(list, 'rota job list', "rota job list --filter 'state = PAUSED' -o wide")
  setAction(list, run, listJobs)

  const get = job.command('get').argument('<name>', 'the job').description('Show a job.')
  addExamples(get, 'rota job get backup', 'rota job get backup -o yaml > backup.yaml')
  setAction(get, run, getJob)

  const status = job.command('status').argument('<name>', 'the job')
  status.description('Show how a job is doing: its last run, its success, what runs now.')
  addExamples(status, 'rota job status backup', 'rota job status backup -o json')
  setAction(status, run, getJobStatus)

  const occurrences = job.command('occurrences').argument('<name>', 'the job')
  occurrences
    .description('List what was decided about the due times of a job, or say why one did not run.')
    .option('--at <time>', 'of this one: "02:00" or "2026-11-20 02:00" in its zone, or RFC 3339')
    .option('--from <time>', 'not before this: RFC 3339, or "24h" for that long ago')
    .option('--to <time>', 'before this')
    .option('--decision <decision>', 'only this, e.g. missed; may be repeated', repeatable)
    .option('--limit <count>', 'at most this many (default 50)')
    .option('--all', 'as many as there are')
  addExamples(
    occurrences,
    'rota job occurrences backup --at 02:00',
    'rota job occurrences backup --from 7d --decision missed,coalesced',
  )
  setAction(occurrences, run, showOccurrences)

  const upcoming = job.command('upcoming').argument('<name>', 'the job')
  addUpcomingOptions(upcoming.description('List the next due times of a job.'))
  addExamples(upcoming, 'rota job upcoming backup', 'rota job upcoming backup --within 30d')
  setAction(upcoming, run, listUpcomingOfJob)

  const history = job.command('history').argument('<name>', 'the job')
  addExecutionListOptions(history.description('List the executions of a job, newest first.'))
  addExamples(
    history,
    'rota job history backup',
    'rota job history backup --state failed --since 7d',
  )
  setAction(history, run, showHistory)
}

function registerWriters(job: Command, run: Run): void {
  const create = job
    .command('create')
    .argument('[name]', 'the new job, e.g. billing.nightly-report')
  addJobFlags(create.description('Create a job.'))
  addExamples(
    create,
    'rota job create hello --command "date" --schedule "every 10s"',
    'rota job create report --script report.py --schedule "0 6 * * 1-5" --retries 3',
    'rota job create ping --command https://example.com/health --schedule "*/5 * * * *"',
    'rota job create -f report.yaml --dry-run',
  )
  setAction(create, run, createJob)

  const update = job.command('update').argument('<name>', 'the job')
  addJobFlags(update.description('Change a job: only what the options say.'))
    .option('--etag <etag>', 'only if the job is still as it was with this etag')
    .option('--recover-from <time>', 'also decide what was due since then: RFC 3339, or "2h ago"')
    .addHelpText(
      'after',
      '\nA repeatable option replaces all values of its setting; the word none\nremoves a setting.',
    )
  addExamples(
    update,
    'rota job update hello --schedule "every 1m" --timeout 30s',
    'rota job update hello --schedule "0 3 * * *" --tz Europe/Paris --dry-run',
    'rota job update hello --schedule none',
  )
  setAction(update, run, updateJob)

  const remove = job.command('delete').argument('<name>', 'the job')
  remove
    .description('Delete a job. Its history stays; what runs finishes.')
    .option('--force', 'cancel what runs, too')
    .option('--etag <etag>', 'only if the job is still as it was with this etag')
    .option('--dry-run', 'show what it would do to the due times, change nothing')
  addExamples(remove, 'rota job delete hello', 'rota job delete hello --force')
  setAction(remove, run, deleteJob)
}

function registerVersions(job: Command, run: Run): void {
  const versions = job.command('versions').argument('<name>', 'the job')
  versions
    .description('List the versions of a job, newest first: each change makes one.')
    .option('--limit <count>', 'at most this many (default 50)')
    .option('--all', 'as many as there are')
  addExamples(versions, 'rota job versions backup', 'rota job versions backup -o yaml')
  setAction(versions, run, listVersions)

  const rollback = job.command('rollback').argument('<name>', 'the job')
  rollback
    .description('Make a job what it was in an earlier version. That is a new version.')
    .option('--to <version>', 'the version, as `rota job versions` lists it')
    .option('--note <text>', 'why; stands in the list of versions')
    .option('--dry-run', 'show what it would do to the due times, change nothing')
  addExamples(
    rollback,
    'rota job rollback backup --to 3 --dry-run',
    'rota job rollback backup --to 3 --note "4 was too slow"',
  )
  setAction(rollback, run, rollbackJob)
}

function registerSwitches(job: Command, run: Run): void {
  const pause = job.command('pause').argument('<name>', 'the job')
  pause
    .description('Stop the scheduled runs of a job. It can still be triggered.')
    .option('--reason <text>', 'why, for whoever finds it paused')
    .option('--until <time>', 'resume by itself: RFC 3339, or "in 2h"')
    .option('--dry-run', 'show what it would do to the due times, change nothing')
  addExamples(
    pause,
    'rota job pause backup --reason "disk is full"',
    'rota job pause backup --until "in 2h"',
  )
  setAction(pause, run, pauseJob)

  const resume = job.command('resume').argument('<name>', 'the job')
  resume
    .description('Start the scheduled runs of a paused job again, from now on.')
    .option('--recover-from <time>', 'also decide what was due since then: RFC 3339, or "2h ago"')
    .option('--dry-run', 'show what it would do to the due times, change nothing')
  addExamples(resume, 'rota job resume backup', 'rota job resume backup --recover-from "2h ago"')
  setAction(resume, run, resumeJob)

  const skip = job.command('skip').argument('<name>', 'the job')
  skip
    .description('Skip the next scheduled run of a job, or several.')
    .option('--count <number>', 'how many of the next runs (default 1)')
    .option('--reason <text>', 'why; stands in the ledger')
    .option('--undo', 'skip none of them any more')
  addExamples(
    skip,
    'rota job skip backup --reason "disk is being replaced"',
    'rota job skip backup --count 3',
    'rota job skip backup --undo',
  )
  setAction(skip, run, skipJob)
}

function registerTrigger(job: Command, run: Run): void {
  const trigger = job.command('trigger').argument('<name>', 'the job')
  trigger
    .description('Run a job now.')
    .option('--param <key=value>', 'a parameter of the job; may be repeated', repeatable)
    .option('--params-file <file>', 'parameters from a YAML or JSON object; - reads stdin')
    .option('--on <worker>', 'on this worker only')
    .option('--at <time>', 'not now but then: RFC 3339, or "in 5m"')
    .option('--wait', 'wait until it has ended; exit code 10 when it failed')
    .option('--follow', 'wait, and show its output meanwhile')
    .option('--timeout <duration>', 'wait no longer than this; exit code 8 when it still runs')
    .option('--dry-run', 'check it, run nothing')
  addExamples(
    trigger,
    'rota job trigger backup --follow',
    'rota job trigger report --param day=monday --wait --timeout 10m',
  )
  setAction(trigger, run, triggerJob)
}

function registerBackfill(job: Command, run: Run): void {
  const backfill = job.command('backfill').argument('<name>', 'the job')
  backfill
    .description('Run the due times of a past range again, or for the first time.')
    .option('--from <time>', 'the first due time: RFC 3339, or "24h ago"')
    .option('--to <time>', 'due times before it: RFC 3339, "1h ago" or now (default now)')
    .option('--max-parallel <count>', 'so many at once, or all (default 1, in their order)')
    .option('--include-succeeded', 'also due times that have succeeded')
    .option('--wait', 'wait until all have ended; exit code 10 when one did not succeed')
    .option('--dry-run', 'show which due times it would run')
    .option('--yes', 'do not ask')
  addExamples(
    backfill,
    'rota job backfill report --from "7d ago" --dry-run',
    'rota job backfill report --from "7d ago" --to "1h ago" --max-parallel 4 --wait',
  )
  setAction(backfill, run, backfillJob)
}

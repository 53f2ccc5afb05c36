import type { Command } from 'commander'
import { addExamples, type Run, setAction } from '../action.ts'
import { repeatable } from '../option-values.ts'
import { lintSchedules } from './schedule/lint.ts'
import { previewCommand } from './schedule/preview.ts'

/** `rota schedule ...` */
export function registerSchedule(program: Command, run: Run): void {
  const schedule = program
    .command('schedule')
    .description('See what a schedule would do, without a coordinator.')
  registerPreview(schedule, run)
  const lint = schedule
    .command('lint')
    .description('Check the schedules of job files, as `rota job create -f` reads them.')
    .option(
      '-f, --file <path>',
      'a file, or a folder with all its YAML and JSON files; may be repeated',
      repeatable,
    )
    .option('--from <time>', 'as if it were this time: RFC 3339 (default: now)')
    .option('--strict', 'exit code 1 also when there are only warnings')
  addExamples(lint, 'rota schedule lint -f jobs/', 'rota schedule lint -f backup.yaml -o json')
  setAction(lint, run, lintSchedules)
}

function registerPreview(schedule: Command, run: Run): void {
  const preview = schedule
    .command('preview')
    .argument('[expr]', 'cron, a macro, a time, or words such as "every weekday at 9:30"')
    .description('Say a schedule in words, warn of what surprises in it, and list its next times.')
    .option('--tz <zone>', 'IANA time zone (default UTC)')
    .option('--from <time>', 'times are strictly after this: RFC 3339 (default: now)')
    .option('--count <number>', 'how many times (default 10)')
    .option(
      '--dst-gap <policy>',
      'for a time that does not exist: run-after (default), skip or shift',
    )
    .option('--dst-fold <policy>', 'for a time that comes twice: first (default), last or both')
    .option('--stdin', 'answer each line of JSON on stdin with one line of JSON')
    .addHelpText(
      'after',
      '\nWith --stdin a line is like {"expr":"0 2 * * *","tz":"Europe/Paris","from":"2026-11-20T00:00:00Z",\n"count":3,"gap":"run-after","fold":"first"}; what it leaves out comes from the options.',
    )
  addExamples(
    preview,
    'rota schedule preview "30 2 * * *" --tz Europe/Paris',
    'rota schedule preview "last friday of the month at 17:00" --count 3 -o json',
    'rota schedule preview --stdin < requests.jsonl',
  )
  setAction(preview, run, previewCommand)
}

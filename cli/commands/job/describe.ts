/** A job in words, for tables and screens. */
import {
  Concurrency_Overlap,
  Dependency_When,
  type Job,
  type JobSpec,
  type Recurrence,
  RetryPolicy_Kind,
  type Task,
} from '../../../proto/gen/rota/v1/job.ts'
import { durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import { toId } from '../../names.ts'
import { word } from '../../words.ts'

/** `*\/5 * * * *`, `every 10s`, `after load, clean`; empty when only a trigger runs it. */
export function describeWhen(spec: JobSpec | undefined): string {
  const schedules = spec?.schedule?.recurrences.map(describeRecurrence) ?? []
  if (schedules.length > 0) return schedules.join('; ')
  const dependencies = describeDependencies(spec)
  return dependencies === '' ? '' : `after ${dependencies}`
}

export function describeRecurrence({ kind }: Recurrence): string {
  switch (kind?.$case) {
    case 'cron':
    case 'text':
      return kind.value
    case 'every':
      return `every ${formatDurationMs(durationToMs(kind.value))}`
    case 'at':
      return `at ${isoSeconds(kind.value)}`
    case undefined:
      return 'unknown'
  }
}

/** `load, clean:failed` */
export function describeDependencies(spec: JobSpec | undefined): string {
  return (spec?.dependencies ?? [])
    .map(({ job, when }) => {
      const isUsual = when === Dependency_When.UNSPECIFIED || when === Dependency_When.SUCCEEDED
      return isUsual ? toId(job) : `${toId(job)}:${word(Dependency_When, when)}`
    })
    .join(', ')
}

export function describeKind(job: Job): string {
  return job.spec?.task?.kind?.$case ?? ''
}

/** The command line, the path or size of a script, method and URL, the handler. */
export function describeTask(task: Task | undefined): string {
  const kind = task?.kind
  switch (kind?.$case) {
    case 'shell':
      return kind.value.command
    case 'script': {
      const { source, interpreter, args } = kind.value
      const what =
        source?.$case === 'inline'
          ? `${countLines(source.value)} lines sent with the job`
          : source?.value
      return [interpreter, what, ...args].filter(Boolean).join(' ')
    }
    case 'api':
      return `${kind.value.method || 'GET'} ${kind.value.url}`
    case 'handler':
      return [kind.value.handler, kind.value.payload && JSON.stringify(kind.value.payload)]
        .filter(Boolean)
        .join(' ')
    case 'workflow':
      return `${kind.value.steps.length} steps`
    case undefined:
      return ''
  }
}

/** `3 times, exponential from 10s to 5m` */
export function describeRetry(spec: JobSpec | undefined): string {
  const retry = spec?.retry
  if (retry === undefined || retry.maxRetries === 0) return 'none'
  const span = (label: string, durationMs: number | undefined) =>
    durationMs === undefined || durationMs === 0 ? '' : ` ${label} ${formatDurationMs(durationMs)}`
  const times = retry.maxRetries === 1 ? 'once' : `${retry.maxRetries} times`
  const isFixed = retry.kind === RetryPolicy_Kind.FIXED
  const first = span(isFixed ? 'after' : 'from', durationToMs(retry.delay))
  const last = isFixed ? '' : span('to', durationToMs(retry.maxDelay))
  return `${times}, ${word(RetryPolicy_Kind, retry.kind)}${first}${last}`
}

/** `skip`, `queue_all, 3 at once`; empty when any number may run at once. */
export function describeOverlap(spec: JobSpec | undefined): string {
  const { max = 0, overlap = 0 } = spec?.concurrency ?? {}
  const policy = word(Concurrency_Overlap, overlap) || (max > 0 ? 'queue_all' : '')
  return [policy, max > 0 ? `${max} at once` : ''].filter(Boolean).join(', ')
}

function countLines(text: string): number {
  return text.trimEnd().split('\n').length
}

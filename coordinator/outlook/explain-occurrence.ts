/** Did a due time run, and if not, why: the reasoning over what the ledger, the versions and the events say. Pure. */
import { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { formatDurationMs } from '../../shared/duration.ts'
import { isoSeconds } from '../../shared/rfc-3339.ts'
import { describeRules } from '../../shared/schedule/describe/describe.ts'
import { type CompiledSchedule, compileSchedule } from '../../shared/schedule/next-due.ts'
import { rulesOf } from '../../shared/schedule/recurrence-rules.ts'
import type { Decision } from '../store/schedule-tables.ts'
import type { JobSwitch, LedgerEntry, VersionAt } from './occurrence-facts-queries.ts'

export type Verdict =
  | 'enqueued'
  | 'not_run'
  | 'not_due'
  | 'before_creation'
  | 'no_schedule'
  | 'future'
  | 'not_decided'
  | 'forgotten'

export interface OccurrenceFacts {
  /** The time that is asked about. */
  readonly at: Date
  readonly now: Date
  readonly job: {
    readonly uid: string
    readonly created_at: Date
    readonly state: string
    readonly pause_reason: string
    readonly marked_at: Date | null
  }
  readonly entry: LedgerEntry | undefined
  readonly version: VersionAt | undefined
  readonly switches: readonly JobSwitch[]
  /** Nothing older is in the ledger any more. */
  readonly keptSince: Date | undefined
}

export interface OccurrenceExplanation {
  readonly verdict: Verdict
  readonly message: string
  readonly previous: Date | undefined
  readonly next: Date | undefined
}

export function explainOccurrence(facts: OccurrenceFacts): OccurrenceExplanation {
  const walk = walkOf(facts)
  const atMs = facts.at.getTime()
  const around = {
    previous: walk && previousDue(walk, atMs),
    next: walk && toDate(walk.next(atMs)),
  }
  const isDue = walk !== undefined && walk.next(atMs - 1) === atMs
  return { ...judge(facts, { ...around, isDue }), ...around }
}

interface Around {
  readonly previous: Date | undefined
  readonly next: Date | undefined
  readonly isDue: boolean
}

interface Judgement {
  readonly verdict: Verdict
  readonly message: string
}

function judge(facts: OccurrenceFacts, around: Around): Judgement {
  const { at, entry, job, now, version } = facts
  if (entry !== undefined) return tellEntry(entry, now)
  if (version === undefined) {
    const message = `The job did not exist yet: it was created at ${isoSeconds(job.created_at)}.`
    return { verdict: 'before_creation', message }
  }
  const schedule = scheduleOf(version)
  if (schedule === undefined) {
    const message = `Version ${version.version}, which was in force then, has no schedule: it ran by trigger or dependency only.`
    return { verdict: 'no_schedule', message }
  }
  if (at > now) return { verdict: 'future', message: tellFuture(facts, around) }
  if (!around.isDue) return { verdict: 'not_due', message: tellNotDue(version, schedule, around) }
  if (facts.keptSince !== undefined && at < facts.keptSince) {
    const message = `It was due by version ${version.version}, but the ledger is kept since ${isoSeconds(facts.keptSince)} only.`
    return { verdict: 'forgotten', message }
  }
  return { verdict: 'not_decided', message: tellUndecided(facts, version) }
}

const SKIPPED: Readonly<Record<Exclude<Decision, 'enqueued'>, string>> = {
  skipped_overlap: 'an earlier run was still there',
  skipped_calendar: 'a calendar excludes the day',
  skipped_paused: 'the schedule was paused',
  skipped_freeze: 'a freeze was in force',
  skipped_requested: 'somebody asked to skip it',
  missed: 'it was missed',
  coalesced: 'it was folded into a newer due time',
}

function tellEntry(entry: LedgerEntry, now: Date): Judgement {
  const decided = `decided at ${isoSeconds(entry.decided_at)}`
  const reason = entry.reason === '' ? '' : `: ${entry.reason}`
  if (entry.decision !== 'enqueued') {
    const message = `It was due and did not run, because ${SKIPPED[entry.decision]}${reason} (${decided}).`
    return { verdict: 'not_run', message }
  }
  const message = `It was due and enqueued${reason} (${decided}); ${tellExecution(entry, now)}.`
  return { verdict: 'enqueued', message }
}

function tellExecution({ state, settled_at: end, ...entry }: LedgerEntry, now: Date): string {
  if (state === null) return 'the history of its execution is not kept any more'
  const why = entry.reason_message || entry.reason_code || ''
  const because = why === '' ? '' : `: ${why}`
  if (end !== null) return `its execution ${ENDED[state] ?? state} at ${isoSeconds(end)}${because}`
  const sinceMs = now.getTime() - entry.decided_at.getTime()
  return `its execution is ${state} by now, after ${formatDurationMs(Math.max(0, sinceMs))}${because}`
}

const ENDED: Readonly<Record<string, string>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'was cancelled',
  uncertain: 'ended with an unknown outcome',
  skipped: 'was skipped',
}

function tellFuture({ at, job, now }: OccurrenceFacts, { isDue, next }: Around): string {
  const distance = formatDurationMs(at.getTime() - now.getTime())
  if (job.marked_at === null) {
    const why = job.pause_reason === '' ? '' : `: ${job.pause_reason}`
    return `It is still to come, in ${distance}, but the job is ${job.state}${why}; as it is now it will not be due.`
  }
  if (isDue) return `It is still to come: it is due in ${distance}.`
  const later =
    next === undefined ? 'it is never due after it' : `it is next due at ${isoSeconds(next)}`
  return `It is still to come, in ${distance}, and is no due time of the schedule; ${later}.`
}

function tellNotDue(version: VersionAt, schedule: Schedule, { previous, next }: Around): string {
  const rules = describeRules(schedule.recurrences.flatMap(rulesOf))
  const what = `It is no due time of version ${version.version}, which was in force then (${rules}, ${schedule.timeZone || 'UTC'})`
  const sides = [
    ...(previous === undefined ? [] : [`the last before it is ${isoSeconds(previous)}`]),
    ...(next === undefined ? [] : [`the first after it is ${isoSeconds(next)}`]),
  ]
  return sides.length === 0 ? `${what}.` : `${what}; ${sides.join(', ')}.`
}

/** It was due and has no row: the mark had passed it, or is just about to. */
function tellUndecided({ at, job, now, switches }: OccurrenceFacts, version: VersionAt): string {
  const due = `It was due by version ${version.version}`
  if (job.marked_at !== null && at > job.marked_at) {
    const lateMs = now.getTime() - at.getTime()
    return `${due}, ${formatDurationMs(lateMs)} ago, and is about to be decided.`
  }
  const before = switches.find(({ happened_at: time }) => time <= at)
  const after = switches.find(({ happened_at: time }) => time > at)
  if (before?.change === 'paused') {
    const why = before.message === '' ? '' : `: ${before.message}`
    return `${due}, but the job had been paused at ${isoSeconds(before.happened_at)} by ${before.actor || 'Rota'}${why}.`
  }
  if (
    version.replaced_at !== null &&
    (after === undefined || version.replaced_at <= after.happened_at)
  ) {
    return `${due}, but before it was decided the next version was saved, at ${isoSeconds(version.replaced_at)}; a change makes up for nothing.`
  }
  if (after !== undefined) {
    return `${due}, but before it was decided the job was ${after.change}, at ${isoSeconds(after.happened_at)}; that makes up for nothing.`
  }
  return `${due}, but nothing was decided: the schedule was saved, or the job was over, before it came.`
}

function scheduleOf({ spec }: VersionAt): Schedule | undefined {
  return spec['schedule'] === undefined ? undefined : Schedule.fromJSON(spec['schedule'])
}

/** Of the version that was in force. */
function walkOf({ job, version }: OccurrenceFacts): CompiledSchedule | undefined {
  const schedule = version && scheduleOf(version)
  return schedule && compileSchedule(schedule, { seed: job.uid, anchor: job.created_at })
}

/** Nobody asks for what was due before. */
const YEARS_BACK_MS = 10 * 366 * 86_400_000

/** The last due time before `atMs`: bisected, because a walk only goes forward. */
function previousDue(walk: CompiledSchedule, atMs: number): Date | undefined {
  let low = atMs - YEARS_BACK_MS
  let high = atMs - 1
  if (walk.next(low) >= atMs) return undefined
  // What follows `low` lies before `atMs`, what follows `high` does not.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (walk.next(middle) < atMs) low = middle
    else high = middle
  }
  return new Date(walk.next(low))
}

function toDate(ms: number): Date | undefined {
  return ms === Infinity ? undefined : new Date(ms)
}

/** 1 to 3: every due time once, none early, none that was not due, and how late. */
import type { Evidence, OccurrenceEvidence, ScheduleEvidence } from '../evidence/evidence.ts'
import type { LoadJob } from '../load/load-jobs.ts'
import { checkEach, type Finding, groupBy, type Invariant } from './invariant.ts'

/** As late as a fire may be when no fault explains it; the target is 0.25 s at rest, and this machine does not rest. */
const LAG_MS_MAX = 5_000
/** After a fault is over. */
const CATCH_UP_MS = 10_000

export const everyDueTimeOnce: Invariant = {
  numbers: [1, 2],
  says: 'every due time has exactly one occurrence, none is early, none is invented',
  check(evidence) {
    const decided = groupBy(evidence.occurrences, ({ job }) => job)
    const executions = new Set(evidence.executions.map(({ id }) => id))
    const schedules = evidence.schedules.flatMap((schedule) => {
      const job = evidence.jobs.get(schedule.job)
      return job?.due === undefined ? [] : [{ schedule, job, due: job.due }]
    })
    const findings = schedules.map(({ schedule, due }) =>
      compare(referenceOf(due, schedule), decided.get(schedule.job) ?? [], schedule),
    )
    const early = checkEach(evidence.occurrences, (occurrence) => [
      ...(occurrence.decidedMs < occurrence.dueMs ? [`${show(occurrence)} was decided early`] : []),
      ...(occurrence.execution !== undefined &&
      occurrence.execution !== null &&
      !executions.has(occurrence.execution)
        ? [`${show(occurrence)} has no execution ${occurrence.execution}`]
        : []),
    ])
    return {
      checked: findings.reduce((sum, { checked }) => sum + checked, 0),
      violations: [...findings.flatMap(({ violations }) => violations), ...early.violations],
    }
  },
}

interface Reference {
  readonly firstMs: number
  readonly everyMs: number
}

/** Written anew from what the API promises: multiples of the interval after the creation, or of the clock's seconds. */
function referenceOf(due: NonNullable<LoadJob['due']>, { createdMs }: ScheduleEvidence): Reference {
  const { everyMs, from } = due
  const firstMs =
    from === 'creation' ? createdMs + everyMs : (Math.floor(createdMs / everyMs) + 1) * everyMs
  return { firstMs, everyMs }
}

function compare(
  { firstMs, everyMs }: Reference,
  occurrences: readonly OccurrenceEvidence[],
  { job, markMs }: ScheduleEvidence,
): Finding {
  const seen = new Map<number, number>()
  const violations: string[] = []
  for (const { dueMs } of occurrences) {
    const place = Math.round((dueMs - firstMs) / everyMs)
    // Seconds within which the clock repeats divide a minute; so does every interval of the load.
    if (place < 0 || Math.abs(firstMs + place * everyMs - dueMs) > 1) {
      violations.push(`${job} was never due at ${time(dueMs)}`)
    }
    seen.set(place, (seen.get(place) ?? 0) + 1)
  }
  const last = Math.floor((markMs - firstMs) / everyMs)
  for (let place = 0; place <= last; place += 1) {
    const count = seen.get(place) ?? 0
    if (count !== 1) {
      violations.push(`${job} has ${count} occurrences for ${time(firstMs + place * everyMs)}`)
    }
  }
  return { checked: Math.max(0, last + 1), violations }
}

export const firesOnTime: Invariant = {
  numbers: [3],
  says: 'outside of faults a fire is not late; after one it is caught up',
  check: (evidence) =>
    checkEach(evidence.occurrences, (occurrence) => {
      const { decidedMs, dueMs } = occurrence
      const lateMs = decidedMs - dueMs
      if (lateMs <= LAG_MS_MAX) return []
      return isDuringFault(occurrence, evidence)
        ? []
        : [`${show(occurrence)} was decided ${Math.round(lateMs)} ms late`]
    }),
}

/** How late fires were, in ms, outside of the windows of faults and within. */
export function lagsOf(evidence: Evidence): {
  readonly outside: readonly number[]
  readonly inside: readonly number[]
} {
  const outside: number[] = []
  const inside: number[] = []
  for (const occurrence of evidence.occurrences) {
    const lags = isDuringFault(occurrence, evidence) ? inside : outside
    lags.push(occurrence.decidedMs - occurrence.dueMs)
  }
  return { outside, inside }
}

/** Due before a fault was over and made up for, and decided while it was there or soon after. */
function isDuringFault({ decidedMs, dueMs }: OccurrenceEvidence, { windows }: Evidence): boolean {
  return windows.some(
    ({ fromMs, toMs }) => fromMs <= decidedMs && Math.max(dueMs, decidedMs) <= toMs + CATCH_UP_MS,
  )
}

function show({ job, dueMs }: OccurrenceEvidence): string {
  return `${job} due at ${time(dueMs)}`
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

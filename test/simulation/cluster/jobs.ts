/** The jobs of a run: every guarantee, every kind of schedule, short and long, willing and not. */

import {
  CatchUp_Policy,
  Concurrency_Overlap,
  Guarantee,
  JobSpec,
  RetryPolicy_Kind,
} from '../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../shared/duration.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import type { Behaviour } from './virtual-host.ts'

/** When a job is due, for the reference that knows nothing of the product's own reading of it. */
export type Due =
  | { readonly kind: 'every'; readonly everyMs: number }
  /** A cron expression that means every multiple of so many ms since 1970. */
  | { readonly kind: 'cron'; readonly expression: string; readonly everyMs: number }
  | { readonly kind: 'at'; readonly afterMs: number }
  | { readonly kind: 'never' }

export interface SimulatedJob {
  readonly name: string
  readonly due: Due
  readonly behaviour: Behaviour
  readonly guarantee: 'at_least_once' | 'exclusive' | 'at_most_once'
  readonly slots: number
  readonly timeoutMs: number
  readonly killGraceMs: number
  readonly maxRetries: number
  readonly retryDelayMs: number
  readonly isExponential: boolean
  readonly catchUp: 'last' | 'all' | 'none'
  readonly dependsOn: readonly string[]
  readonly startDeadlineMs: number | undefined
  /** Paused when the run begins, for so long. */
  readonly pausedForMs: number
  /** So many of its first runs are to be skipped. */
  readonly skipCount: number
  /** Undefined: any number at once. */
  readonly overlap: keyof typeof OVERLAPS | undefined
  /** Live at once, with `overlap`. */
  readonly limit: number
}

const DEFAULTS: Omit<SimulatedJob, 'name' | 'due' | 'behaviour'> = {
  guarantee: 'at_least_once',
  slots: 1,
  timeoutMs: 60_000,
  killGraceMs: 1_000,
  maxRetries: 2,
  retryDelayMs: 1_000,
  isExponential: false,
  catchUp: 'last',
  dependsOn: [],
  startDeadlineMs: undefined,
  pausedForMs: 0,
  skipCount: 0,
  overlap: undefined,
  limit: 1,
}

/** Longer than any lease, so that attempts outlive what happens to their hosts. */
const LONG_MS = [8_000, 40_000] as const

export function simulatedJobs(random: SeededRandom): SimulatedJob[] {
  const quick: Behaviour = { durationMs: [20, 1_500], failureRate: 0.15, isDeaf: false }
  const long: Behaviour = { durationMs: LONG_MS, failureRate: 0.1, isDeaf: false }
  // The next attempt is given away right behind the end of the one before, and has the slot for long.
  const stumbling: Behaviour = { ...long, failureRate: 0.5, failsAfterMs: [5, 300] }
  const every = (low: number, high: number): Due => ({
    kind: 'every',
    everyMs: random.between(low, high) * 1_000,
  })
  return [
    { ...DEFAULTS, name: 'quick', due: every(2, 4), behaviour: quick, catchUp: 'all' },
    {
      ...DEFAULTS,
      name: 'long',
      due: every(8, 16),
      behaviour: stumbling,
      maxRetries: 4,
      retryDelayMs: 20,
    },
    { ...DEFAULTS, name: 'exclusive', due: every(3, 6), behaviour: quick, guarantee: 'exclusive' },
    {
      ...DEFAULTS,
      name: 'exclusive-long',
      due: every(8, 14),
      behaviour: long,
      guarantee: 'exclusive',
    },
    {
      ...DEFAULTS,
      name: 'once',
      due: every(4, 8),
      behaviour: quick,
      guarantee: 'at_most_once',
      skipCount: 2,
    },
    {
      ...DEFAULTS,
      name: 'once-long',
      due: every(15, 25),
      behaviour: long,
      guarantee: 'at_most_once',
    },
    {
      ...DEFAULTS,
      name: 'deaf',
      due: every(25, 40),
      behaviour: { durationMs: LONG_MS, failureRate: 0, isDeaf: true },
      guarantee: 'exclusive',
      timeoutMs: 9_000,
      maxRetries: 1,
    },
    // Only the KILL of its lease ends it: whoever counts a lease too long has two of them.
    {
      ...DEFAULTS,
      name: 'deaf-long',
      due: every(15, 25),
      behaviour: { durationMs: [20_000, 40_000], failureRate: 0, isDeaf: true },
      guarantee: 'exclusive',
    },
    {
      ...DEFAULTS,
      name: 'failing',
      pausedForMs: 20_000,
      due: every(7, 12),
      behaviour: { durationMs: [10, 500], failureRate: 0.7, isDeaf: false },
      maxRetries: 3,
      retryDelayMs: 400,
      isExponential: true,
      catchUp: 'none',
    },
    {
      ...DEFAULTS,
      name: 'cron',
      due: { kind: 'cron', expression: '*/20 * * * * *', everyMs: 20_000 },
      behaviour: quick,
    },
    {
      ...DEFAULTS,
      name: 'minutely',
      due: { kind: 'cron', expression: '* * * * *', everyMs: 60_000 },
      behaviour: quick,
      catchUp: 'all',
      startDeadlineMs: 30_000,
    },
    {
      ...DEFAULTS,
      name: 'single',
      due: { kind: 'at', afterMs: random.between(5_000, 60_000) },
      behaviour: quick,
    },
    {
      ...DEFAULTS,
      name: 'dependent',
      due: { kind: 'never' },
      behaviour: quick,
      dependsOn: ['cron'],
    },
    { ...DEFAULTS, name: 'waiting', due: every(17, 27), behaviour: quick, dependsOn: ['quick'] },
    { ...DEFAULTS, name: 'wide', due: { kind: 'never' }, behaviour: quick, slots: 2 },
    {
      ...DEFAULTS,
      name: 'filler',
      due: { kind: 'never' },
      behaviour: { durationMs: [15_000, 15_000], failureRate: 0, isDeaf: false },
    },
    ...limitedJobs(every),
  ]
}

/** Due more often than they can run, so that each policy has something to do. */
function limitedJobs(every: (low: number, high: number) => Due): SimulatedJob[] {
  const behaviour: Behaviour = { durationMs: [200, 5_000], failureRate: 0.1, isDeaf: false }
  const common = { ...DEFAULTS, behaviour, catchUp: 'all' } as const
  return [
    { ...common, name: 'sole', due: every(4, 7), overlap: 'skip' },
    { ...common, name: 'newest', due: every(5, 8), overlap: 'queue_one' },
    { ...common, name: 'in-turn', due: every(10, 14), overlap: 'queue_all', dependsOn: ['quick'] },
    { ...common, name: 'replaced', due: every(6, 9), overlap: 'cancel_running' },
  ]
}

const OVERLAPS = {
  skip: Concurrency_Overlap.SKIP,
  queue_one: Concurrency_Overlap.QUEUE_ONE,
  queue_all: Concurrency_Overlap.QUEUE_ALL,
  cancel_running: Concurrency_Overlap.CANCEL_RUNNING,
} as const
const GUARANTEES = {
  at_least_once: Guarantee.AT_LEAST_ONCE,
  exclusive: Guarantee.EXCLUSIVE,
  at_most_once: Guarantee.AT_MOST_ONCE,
} as const
const CATCH_UP = {
  last: CatchUp_Policy.LAST,
  all: CatchUp_Policy.ALL,
  none: CatchUp_Policy.NONE,
} as const

export function specOfJob(job: SimulatedJob, createdAt: Date): JobSpec {
  const recurrence = recurrenceOf(job.due, createdAt)
  return JobSpec.fromPartial({
    task: { kind: { $case: 'shell', value: { command: job.name } } },
    ...(recurrence === undefined
      ? {}
      : {
          schedule: {
            recurrences: [{ kind: recurrence }],
            catchUp: { policy: CATCH_UP[job.catchUp] },
          },
        }),
    dependencies: job.dependsOn.map((name) => ({ job: `jobs/${name}` })),
    placement: { slots: job.slots },
    ...(job.overlap === undefined
      ? {}
      : { concurrency: { max: job.limit, overlap: OVERLAPS[job.overlap] } }),
    guarantee: GUARANTEES[job.guarantee],
    timeout: durationFromMs(job.timeoutMs),
    killGrace: durationFromMs(job.killGraceMs),
    retry: {
      kind: job.isExponential ? RetryPolicy_Kind.EXPONENTIAL : RetryPolicy_Kind.FIXED,
      maxRetries: job.maxRetries,
      delay: durationFromMs(job.retryDelayMs),
    },
    ...(job.startDeadlineMs === undefined
      ? {}
      : { startDeadline: durationFromMs(job.startDeadlineMs) }),
  })
}

function recurrenceOf(due: Due, createdAt: Date) {
  switch (due.kind) {
    case 'every':
      return { $case: 'every' as const, value: durationFromMs(due.everyMs) }
    case 'cron':
      return { $case: 'cron' as const, value: due.expression }
    case 'at':
      return { $case: 'at' as const, value: new Date(createdAt.getTime() + due.afterMs) }
    case 'never':
      return undefined
  }
}

/** The due times of a job in (afterMs, untilMs], by the plain meaning of its schedule. */
export function dueTimes(
  job: SimulatedJob,
  createdMs: number,
  span: readonly [number, number],
): number[] {
  const [afterMs, untilMs] = span
  switch (job.due.kind) {
    case 'never':
      return []
    case 'at': {
      const atMs = createdMs + job.due.afterMs
      return atMs > afterMs && atMs <= untilMs ? [atMs] : []
    }
    case 'every':
      return multiples(job.due.everyMs, createdMs, span)
    case 'cron':
      return multiples(job.due.everyMs, 0, span)
  }
}

function multiples(
  everyMs: number,
  fromMs: number,
  [afterMs, untilMs]: readonly [number, number],
): number[] {
  const times: number[] = []
  let next = fromMs + (Math.floor((afterMs - fromMs) / everyMs) + 1) * everyMs
  if (next <= fromMs && fromMs !== 0) next = fromMs + everyMs
  for (; next <= untilMs; next += everyMs) times.push(next)
  return times
}

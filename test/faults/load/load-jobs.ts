/** The jobs that run while faults happen: every guarantee, retries, schedules of both kinds; and the probes of faults. */
import { schedule, shell } from '../../support/spec.ts'
import type { Witness } from '../witness/witness.ts'

export type Guarantee = 'at_least_once' | 'exclusive' | 'at_most_once'

/** What the invariants must know of a job, said here and not read from the system under test. */
export interface LoadJob {
  readonly name: string
  readonly guarantee: Guarantee
  /** Due at every whole multiple after its creation, or of the clock's seconds; undefined: triggered by hand. */
  readonly due: { readonly everyMs: number; readonly from: 'creation' | 'clock' } | undefined
  readonly maxRetries: number
  readonly retryDelayMs: number
  /** Runs this long unless something goes wrong. */
  readonly runMs: number
  /** Shell commands; `return` ends them. */
  readonly body: string
  readonly parameters?: readonly string[]
}

const plain = { maxRetries: 0, retryDelayMs: 0, due: undefined }

export const LOAD_JOBS: readonly LoadJob[] = [
  {
    ...plain,
    name: 'beat',
    guarantee: 'at_least_once',
    due: { everyMs: 1_000, from: 'creation' },
    runMs: 200,
    body: 'say beat $ROTA_SCHEDULED_FOR\nsleep 0.2',
  },
  {
    ...plain,
    name: 'alone',
    guarantee: 'exclusive',
    due: { everyMs: 3_000, from: 'creation' },
    runMs: 1_500,
    body: 'say alone\nsleep 1.5\nsay done',
  },
  {
    ...plain,
    name: 'once',
    guarantee: 'at_most_once',
    due: { everyMs: 2_000, from: 'clock' },
    runMs: 500,
    body: 'sleep 0.5\nsay once',
  },
  {
    ...plain,
    name: 'flaky',
    guarantee: 'at_least_once',
    due: { everyMs: 4_000, from: 'creation' },
    maxRetries: 2,
    retryDelayMs: 500,
    runMs: 100,
    body: 'say attempt $ROTA_ATTEMPT\n[ "$ROTA_ATTEMPT" -gt 1 ] || return 7',
  },
  {
    ...plain,
    name: 'doomed',
    guarantee: 'exclusive',
    due: { everyMs: 5_000, from: 'clock' },
    maxRetries: 1,
    retryDelayMs: 1_000,
    runMs: 100,
    body: 'say going to fail\nreturn 3',
  },
  {
    ...plain,
    name: 'long',
    guarantee: 'at_least_once',
    due: { everyMs: 10_000, from: 'creation' },
    runMs: 8_000,
    body: 'for step in 1 2 3 4 5 6 7 8; do say step $step; sleep 1; done',
  },
  {
    ...plain,
    name: 'by-hand',
    guarantee: 'at_least_once',
    runMs: 100,
    body: 'say by hand\nsleep 0.1',
  },
]

/** What a fault starts to see what becomes of it. */
export const PROBES: Readonly<Record<Guarantee, LoadJob>> = {
  at_least_once: probe('at_least_once'),
  exclusive: probe('exclusive'),
  at_most_once: probe('at_most_once'),
}

function probe(guarantee: Guarantee): LoadJob {
  return {
    ...plain,
    name: `probe-${guarantee.replaceAll('_', '-')}`,
    guarantee,
    runMs: 60_000,
    parameters: ['seconds'],
    body: `
left=$ROTA_PARAM_SECONDS
say runs $left s
while [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); done
say done`,
  }
}

/** The job as the API takes it, in the contract's JSON. */
export function toSpec(job: LoadJob, witness: Witness): object {
  return shell(witness.command(job.body), {
    guarantee: `GUARANTEE_${job.guarantee.toUpperCase()}`,
    timeout: { seconds: '300', nanos: 0 },
    killGrace: { seconds: '1', nanos: 0 },
    parameters: (job.parameters ?? []).map((name) => ({ name, kind: 'KIND_INTEGER' })),
    ...(job.maxRetries === 0 ? {} : { retry: retryOf(job) }),
    ...(job.due === undefined ? {} : scheduleOf(job.due)),
  })
}

function retryOf({ maxRetries, retryDelayMs }: LoadJob): object {
  return { kind: 'KIND_FIXED', maxRetries, delay: durationOf(retryDelayMs) }
}

function scheduleOf({ everyMs, from }: NonNullable<LoadJob['due']>): object {
  const recurrence =
    from === 'creation'
      ? { every: durationOf(everyMs) }
      : { cron: `*/${everyMs / 1_000} * * * * *` }
  return schedule(recurrence, { catchUp: { policy: 'POLICY_ALL', maxExecutions: 30 } })
}

function durationOf(ms: number): { seconds: string; nanos: number } {
  return { seconds: String(Math.trunc(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 }
}

/** Every check of the fault suite against evidence that is right, and against evidence in which one thing is wrong. */
import { describe, expect, it } from 'vitest'
import type {
  AttemptEvidence,
  Evidence,
  ExecutionEvidence,
  FaultWindow,
  OccurrenceEvidence,
} from '../../faults/evidence/evidence.ts'
import { INVARIANTS, judge, showViolations } from '../../faults/invariants/judge.ts'
import type { LoadJob } from '../../faults/load/load-jobs.ts'
import type { Life } from '../../faults/witness/witness.ts'

const START_MS = Date.parse('2026-01-01T00:00:00Z')

function job(name: string, rest: Partial<LoadJob>): LoadJob {
  const plain = { maxRetries: 0, retryDelayMs: 0, due: undefined, runMs: 1_000, body: '' }
  return { name, guarantee: 'at_least_once', ...plain, ...rest }
}

const JOBS = [
  job('beat', { due: { everyMs: 1_000, from: 'creation' } }),
  job('flaky', { maxRetries: 1, retryDelayMs: 500, guarantee: 'exclusive' }),
  job('once', { guarantee: 'at_most_once' }),
]

const execution = (id: string, rest: Partial<ExecutionEvidence>): ExecutionEvidence => ({
  ...{ id, job: 'beat', state: 'succeeded', trigger: 'manual', attempt: 1, maxAttempts: 1 },
  ...{ reasonCode: '', isSettled: true, ...rest },
})

const attempt = (execution: string, rest: Partial<AttemptEvidence>): AttemptEvidence => ({
  ...{ execution, number: 1, epoch: 1n, worker: 'worker-1', outcome: 'succeeded' },
  ...{ assignedMs: START_MS, endedMs: START_MS + 100, stdout: 'hello\n', droppedBytes: 0, ...rest },
})

const life = (execution: string, rest: Partial<Life>): Life => ({
  ...{ execution, attempt: 1, epoch: '1', pid: 100, registeredMs: START_MS },
  ...{ beganMs: START_MS, endedMs: START_MS + 100, exitCode: 0, said: ['hello'], ...rest },
})

const occurrence = (second: number, rest: Partial<OccurrenceEvidence> = {}): OccurrenceEvidence => {
  const dueMs = START_MS + second * 1_000
  const enqueued = { decision: 'enqueued', execution: `due-${second}` }
  return { job: 'beat', dueMs, decidedMs: dueMs + 10, ...enqueued, ...rest }
}

/** Two due times, an execution that failed once and then succeeded, one that may start once. */
const RIGHT: Evidence = {
  jobs: new Map(JOBS.map((each) => [each.name, each])),
  windows: [],
  occurrences: [occurrence(1), occurrence(2)],
  schedules: [{ job: 'beat', createdMs: START_MS, markMs: START_MS + 2_500 }],
  executions: [
    execution('due-1', { trigger: 'schedule' }),
    execution('due-2', { trigger: 'catch_up' }),
    execution('flaky', { job: 'flaky', attempt: 2, maxAttempts: 2 }),
    execution('once', { job: 'once' }),
  ],
  attempts: [
    attempt('due-1', { epoch: 1n }),
    attempt('due-2', { epoch: 2n }),
    attempt('flaky', { epoch: 3n, outcome: 'failed' }),
    attempt('flaky', { epoch: 5n, number: 2, assignedMs: START_MS + 700 }),
    attempt('once', { epoch: 4n }),
  ],
  lives: [
    life('due-1', {}),
    life('due-2', { epoch: '2' }),
    life('flaky', { epoch: '3', exitCode: 7 }),
    life('flaky', {
      ...{ epoch: '5', attempt: 2, pid: 101 },
      ...{ registeredMs: START_MS + 700, beganMs: START_MS + 700, endedMs: START_MS + 900 },
    }),
    life('once', { epoch: '4' }),
  ],
  acknowledgedTriggers: [
    { requestId: 'a', execution: 'flaky', job: 'flaky', atMs: START_MS },
    { requestId: 'b', execution: 'once', job: 'once', atMs: START_MS },
  ],
  acknowledgedResults: [{ worker: 'worker-1', execution: 'due-1', epoch: 1n }],
  lateResults: [],
  sightings: [{ execution: 'due-1', state: 'succeeded', atMs: START_MS }],
  calls: [],
  slots: new Map([['worker-1', 4]]),
  isQuiet: true,
  leftovers: [],
  leftoverPlaces: 3,
  sizes: [{ name: 'worker-1', residentBytes: 50_000_000, descriptors: 30 }],
}

const CUT: FaultWindow = {
  ...{ fault: 'cut-long', fromMs: START_MS - 1_000, toMs: START_MS + 1_000 },
  allowsOverlap: 'at_least_once',
  losesWrites: false,
}

function changed<K extends 'executions' | 'attempts' | 'lives' | 'occurrences'>(
  key: K,
  index: number,
  change: Partial<Evidence[K][number]>,
): Partial<Evidence> {
  const values = RIGHT[key].map((value, at) => (at === index ? { ...value, ...change } : value))
  return { [key]: values }
}

/** What is planted, the number of the invariant that must catch it, and what it says. */
const WRONG: readonly (readonly [string, number, RegExp, Partial<Evidence>])[] = [
  ['a due time without a row', 1, /0 occurrences/, { occurrences: [occurrence(1)] }],
  [
    'a due time with two rows',
    1,
    /2 occurrences/,
    { occurrences: [...RIGHT.occurrences, occurrence(2)] },
  ],
  [
    'a row that was never due',
    2,
    /never due/,
    { occurrences: [...RIGHT.occurrences, occurrence(2.5)] },
  ],
  ['a row before its time', 2, /early/, changed('occurrences', 0, { decidedMs: START_MS + 999 })],
  [
    'an occurrence without its execution',
    2,
    /no execution/,
    { executions: RIGHT.executions.slice(1) },
  ],
  ['a late fire', 3, /9000 ms late/, changed('occurrences', 0, { decidedMs: START_MS + 10_000 })],
  ['a gap between attempts', 4, /numbers 1,3/, changed('attempts', 3, { number: 3 })],
  ['attempts in the wrong order', 4, /numbers 2,1/, changed('attempts', 3, { epoch: 2n })],
  ['an epoch given twice', 4, /one epoch/, changed('attempts', 3, { epoch: 3n })],
  ['an attempt that nobody wrote down', 4, /has 1/, changed('executions', 0, { attempt: 2 })],
  [
    'two attempts at once',
    5,
    /lived at once for 50 ms/,
    changed('lives', 3, { beganMs: START_MS + 50 }),
  ],
  [
    'an exclusive overlap in a long cut',
    5,
    /exclusive/,
    { ...changed('lives', 3, { beganMs: START_MS + 50 }), windows: [CUT] },
  ],
  [
    'a second start of an at-most-once job',
    6,
    /2 processes/,
    { lives: [...RIGHT.lives, life('once', { epoch: '9', pid: 7, beganMs: START_MS + 500 })] },
  ],
  ['a success that nobody saw', 7, /saw \[\]/, { lives: RIGHT.lives.slice(1) }],
  ['a success that was a failure', 7, /"exitCode":3/, changed('lives', 0, { exitCode: 3 })],
  [
    'a success that was killed',
    7,
    /attempt 1/,
    { lives: RIGHT.lives.map(({ exitCode: _, ...rest }) => ({ ...rest, exitCode: undefined })) },
  ],
  [
    'a result that is gone',
    8,
    /epoch 77/,
    { acknowledgedResults: [{ worker: 'worker-1', execution: 'due-1', epoch: 77n }] },
  ],
  [
    'a trigger that is gone',
    9,
    /acknowledged/,
    { executions: RIGHT.executions.filter(({ id }) => id !== 'once') },
  ],
  [
    'a trigger that counted twice',
    9,
    /3 executions were triggered by 2/,
    { executions: [...RIGHT.executions, execution('again', { job: 'once' })] },
  ],
  [
    'an end that changed',
    10,
    /was failed, now \[succeeded\]/,
    { sightings: [{ execution: 'due-1', state: 'failed', atMs: START_MS }] },
  ],
  ['a failure that succeeded', 10, /is failed/, changed('executions', 0, { state: 'failed' })],
  [
    'an execution that is stuck',
    13,
    /still running/,
    changed('executions', 0, { state: 'running', isSettled: false }),
  ],
  ['a process that lives on', 15, /still lives/, changed('lives', 0, { endedMs: undefined })],
  ['more attempts than slots', 14, /4 attempts at once/, { slots: new Map([['worker-1', 3]]) }],
  ['a folder left behind', 15, /left/, { leftovers: ['left: a folder'] }],
  ['a retry too early', 16, /after a failure/, changed('attempts', 3, { assignedMs: START_MS })],
  [
    'a retry too many',
    16,
    /failed 3 times/,
    {
      attempts: [
        ...RIGHT.attempts.map((each) =>
          each.execution === 'flaky' ? { ...each, outcome: 'failed' } : each,
        ),
        attempt('flaky', { number: 3, epoch: 6n, outcome: 'failed', assignedMs: START_MS + 2_000 }),
      ],
    },
  ],
  ['giving up too soon', 16, /given up/, changed('executions', 2, { state: 'failed' })],
  ['output with a hole', 17, /kept "hel"/, changed('attempts', 0, { stdout: 'hel' })],
  ['output that was dropped', 17, /said/, changed('attempts', 0, { droppedBytes: 1 })],
  [
    'an execution out of nothing',
    20,
    /no occurrence/,
    { executions: [...RIGHT.executions, execution('x', { trigger: 'schedule' })] },
  ],
  [
    'memory without bound',
    20,
    /bytes/,
    { sizes: [{ name: 'worker-1', residentBytes: 2 ** 30, descriptors: 1 }] },
  ],
  ['nothing to look at', 8, /nothing was there/, { acknowledgedResults: [] }],
]

describe('the judge', () => {
  it('finds nothing wrong where everything is right', () => {
    const judgements = judge(RIGHT)
    expect(showViolations(judgements)).toEqual([])
    expect(judgements).toHaveLength(INVARIANTS.length)
  })

  it.each(WRONG)('sees %s', (_, number, says, change) => {
    const judgements = judge({ ...RIGHT, ...change })
    const violations = judgements
      .filter(({ invariant }) => invariant.numbers.includes(number))
      .flatMap((each) => each.violations)
    expect(violations.join('\n')).toMatch(says)
  })

  it('lets a late fire and a second attempt pass where a fault explains them', () => {
    const jobs = [...JOBS, job('flaky', { maxRetries: 1, retryDelayMs: 500 })]
    const explained = {
      ...RIGHT,
      ...changed('lives', 3, { beganMs: START_MS + 50 }),
      ...changed('occurrences', 0, { decidedMs: START_MS + 10_000 }),
      jobs: new Map(jobs.map((each) => [each.name, each])),
      windows: [CUT],
      slots: new Map([['worker-1', 5]]),
    }
    expect(showViolations(judge(explained))).toEqual([])
  })

  it('judges what needs quiet only then', () => {
    const stuck = changed('executions', 0, { state: 'running', isSettled: false, attempt: 2 })
    const violations = showViolations(judge({ ...RIGHT, ...stuck, isQuiet: false }))
    expect(violations.join('\n')).not.toContain('still running')
  })
})

/** 8 to 10, 16, 17: what was promised is kept, ends are final, retries follow their policy, output is whole. */
import type { AttemptEvidence, Evidence, ExecutionEvidence } from '../evidence/evidence.ts'
import type { LoadJob } from '../load/load-jobs.ts'
import { checkEach, type Finding, groupBy, type Invariant } from './invariant.ts'

/** Times of agents and of the database differ by what a message takes. */
const CLOCK_MS = 50
const LOSSES_MAX = 5

export const resultsAreKept: Invariant = {
  numbers: [8],
  says: 'a result that was acknowledged to an agent is stored, as an attempt or as late evidence',
  check(evidence) {
    const stored = new Set(
      [...evidence.attempts, ...evidence.lateResults].map(
        ({ execution, epoch }) => `${execution} ${epoch}`,
      ),
    )
    const known = new Set(evidence.executions.map(({ id }) => id))
    const maybeGone = evidence.windows.some(({ losesWrites }) => losesWrites)
    return checkEach(evidence.acknowledgedResults, ({ execution, epoch, worker }) =>
      stored.has(`${execution} ${epoch}`) || (maybeGone && !known.has(execution))
        ? []
        : [
            `${execution} epoch ${epoch}: its result was acknowledged to ${worker} and is not there`,
          ],
    )
  },
}

export const writesAreKept: Invariant = {
  numbers: [9],
  says: 'a trigger that was acknowledged is there, once',
  check(evidence) {
    const byRequest = groupBy(evidence.acknowledgedTriggers, ({ requestId }) => requestId)
    const executions = new Map(evidence.executions.map((each) => [each.id, each]))
    const kept = checkEach(evidence.acknowledgedTriggers, ({ atMs, execution, job, requestId }) => {
      const found = executions.get(execution)
      if (found?.job === job || isLost(evidence, atMs)) return []
      return [`${execution} of ${job} was acknowledged (request ${requestId}) and is not there`]
    })
    const twice = checkEach([...byRequest], ([requestId, { length }]) =>
      length === 1 ? [] : [`request ${requestId} was acknowledged ${length} times`],
    )
    const byHand = evidence.executions.filter(({ trigger }) => trigger === 'manual').length
    const lost =
      kept.checked -
      evidence.acknowledgedTriggers.filter(({ execution }) => executions.has(execution)).length
    const surplus = byHand + lost - byRequest.size
    return {
      checked: kept.checked,
      violations: [
        ...kept.violations,
        ...twice.violations,
        // Requests are repeated until they are acknowledged, so that all of them are known in the end.
        ...(evidence.isQuiet && surplus !== 0
          ? [`${byHand} executions were triggered by ${byRequest.size} requests`]
          : []),
      ],
    }
  },
}

export const endsAreFinal: Invariant = {
  numbers: [10],
  says: 'an end never changes; success is one accepted result, anything else is none',
  check(evidence) {
    const now = groupBy(evidence.executions, ({ id }) => id)
    const unchanged = checkEach(evidence.sightings, ({ atMs, execution, state }) => {
      if (isLost(evidence, atMs)) return []
      const found = now.get(execution) ?? []
      const is = found.map((each) => each.state)
      return found.length === 1 && is[0] === state ? [] : [`${execution} was ${state}, now [${is}]`]
    })
    const attempts = groupBy(evidence.attempts, ({ execution }) => execution)
    const settled = evidence.executions.filter(({ isSettled }) => isSettled)
    const accepted = checkEach(settled, ({ id, state }) => {
      const outcomes = (attempts.get(id) ?? []).map(({ outcome }) => outcome)
      const successes = outcomes.filter((outcome) => outcome === 'succeeded').length
      return successes === (state === 'succeeded' ? 1 : 0)
        ? []
        : [`${id} is ${state}, and its attempts ended [${outcomes}]`]
    })
    return both(unchanged, accepted)
  },
}

export const retriesFollowThePolicy: Invariant = {
  numbers: [16],
  says: 'no attempt too many, none too early, none too few',
  check(evidence) {
    const groups = groupBy(evidence.attempts, ({ execution }) => execution)
    const known = evidence.executions.flatMap((execution) => {
      const job = evidence.jobs.get(execution.job)
      const attempts = groups.get(execution.id)
      return job === undefined || attempts === undefined ? [] : [{ execution, job, attempts }]
    })
    return checkEach(known, ({ attempts, execution, job }) => [
      ...countFaults(execution, job, attempts),
      ...backoffFaults(execution, job, attempts),
    ])
  },
}

/** The database may have gone back behind that moment. */
function isLost({ windows }: Evidence, atMs: number): boolean {
  return windows.some(
    ({ fromMs, losesWrites, toMs }) => losesWrites && fromMs <= atMs && atMs <= toMs,
  )
}

function countFaults(
  { id, isSettled, state }: ExecutionEvidence,
  { guarantee, maxRetries }: LoadJob,
  attempts: readonly AttemptEvidence[],
): string[] {
  const failures = attempts.filter(({ outcome }) => isFailure(outcome)).length
  const losses = attempts.filter(({ outcome }) => outcome === 'lost').length
  if (failures > maxRetries + 1) return [`${id} failed ${failures} times`]
  if (!isSettled || state !== 'failed') return []
  const isExhausted =
    failures === maxRetries + 1 || losses >= LOSSES_MAX || guarantee === 'at_most_once'
  return isExhausted ? [] : [`${id} was given up after ${failures} failures, ${losses} losses`]
}

function backoffFaults(
  { id }: ExecutionEvidence,
  { retryDelayMs }: LoadJob,
  attempts: readonly AttemptEvidence[],
): string[] {
  return attempts.flatMap((attempt) => {
    const next = attempts.find(({ number }) => number === attempt.number + 1)
    if (next === undefined || !isFailure(attempt.outcome)) return []
    const pauseMs = next.assignedMs - attempt.endedMs
    return pauseMs >= retryDelayMs - CLOCK_MS
      ? []
      : [`${id}: attempt ${next.number} came ${Math.round(pauseMs)} ms after a failure`]
  })
}

function isFailure(outcome: string): boolean {
  return outcome === 'failed' || outcome === 'timed_out' || outcome === 'start_failed'
}

export const outputIsWhole: Invariant = {
  numbers: [17],
  says: 'the output of what succeeded is stored byte for byte',
  needsQuiet: true,
  check(evidence) {
    const lives = new Map(
      evidence.lives.map((life) => [`${life.execution} ${life.epoch}`, life] as const),
    )
    const ofLoad = new Set(
      evidence.executions.filter(({ job }) => evidence.jobs.has(job)).map(({ id }) => id),
    )
    const witnessed = evidence.attempts.flatMap((attempt) => {
      if (!ofLoad.has(attempt.execution)) return []
      const life = lives.get(`${attempt.execution} ${attempt.epoch}`)
      return attempt.outcome !== 'succeeded' || life === undefined ? [] : [{ attempt, life }]
    })
    return checkEach(witnessed, ({ attempt, life }) => {
      const wanted = life.said.map((line) => `${line}\n`).join('')
      if (attempt.stdout === wanted && attempt.droppedBytes === 0) return []
      // Agents offer results again after a lost tail, not output that was stored already.
      if (isLost(evidence, life.endedMs ?? 0) && wanted.startsWith(attempt.stdout)) return []
      const place = `${attempt.execution} attempt ${attempt.number}`
      return [`${place}: said ${JSON.stringify(wanted)}, kept ${JSON.stringify(attempt.stdout)}`]
    })
  },
}

function both(one: Finding, other: Finding): Finding {
  return {
    checked: one.checked + other.checked,
    violations: [...one.violations, ...other.violations],
  }
}

/** Executions that exist are those that were asked for. */
export const nothingAppearsOrVanishes: Invariant = {
  numbers: [20],
  says: 'executions are the enqueued occurrences and the triggers, no more and no fewer',
  check(evidence: Evidence) {
    const enqueued = evidence.occurrences.flatMap(({ execution }) => execution ?? [])
    const scheduled = evidence.executions.filter(
      ({ trigger }) => trigger === 'schedule' || trigger === 'catch_up',
    )
    const wanted = new Set(enqueued)
    const found = new Set(scheduled.map(({ id }) => id))
    return both(
      checkEach(scheduled, ({ id, job }) =>
        wanted.has(id) ? [] : [`${id} of ${job} has no occurrence`],
      ),
      checkEach(enqueued, (id) => (found.has(id) ? [] : [`occurrence without execution ${id}`])),
    )
  },
}

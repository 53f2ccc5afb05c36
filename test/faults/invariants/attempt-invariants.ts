/** 4 to 7: numbers and epochs of attempts, and how many of them lived at once. */
import type { Evidence, FaultWindow } from '../evidence/evidence.ts'
import type { Life } from '../witness/witness.ts'
import { checkEach, groupBy, type Invariant } from './invariant.ts'

/** So long a superseded attempt may live on after contact was restored. */
const STOP_MS = 5_000
/** The kill grace of the load's jobs, and one turn of everything on a busy machine. */
const SLACK_MS = 3_000

export const attemptsInOrder: Invariant = {
  numbers: [4],
  says: 'attempts are numbered without gaps, epochs strictly rise',
  check(evidence) {
    const executions = new Map(evidence.executions.map((each) => [each.id, each]))
    const groups = [...groupBy(evidence.attempts, ({ execution }) => execution)]
    return checkEach(groups, ([id, unsorted]) => {
      const attempts = unsorted.toSorted((a, b) => Number(a.epoch - b.epoch))
      const numbers = attempts.map(({ number }) => number)
      const inOrder = numbers.every((number, index) => number === index + 1)
      const epochs = new Set(attempts.map(({ epoch }) => epoch))
      const execution = executions.get(id)
      const isWhole = execution?.isSettled !== true || execution.attempt === attempts.length
      return [
        ...(inOrder ? [] : [`${id}: its attempts by epoch have the numbers ${numbers}`]),
        ...(epochs.size === attempts.length ? [] : [`${id}: two attempts have one epoch`]),
        ...(isWhole
          ? []
          : [`${id}: ended with attempt ${execution.attempt}, and has ${attempts.length}`]),
      ]
    })
  },
}

export const noOverlap: Invariant = {
  numbers: [5],
  says: 'no two attempts of an execution live at once, unless a cut that long was made',
  check(evidence) {
    const groups = [...groupBy(begun(evidence), ({ execution }) => execution)]
    return checkEach(groups, ([id, lives]) => {
      const guarantee = guaranteeOf(evidence, id)
      return overlapsOf(lives)
        .filter((overlap) => !isExcused(overlap, guarantee, evidence.windows))
        .map(
          ({ first, second, fromMs, toMs }) =>
            `${id} (${guarantee}): attempts ${first.attempt} and ${second.attempt} lived at once for ` +
            `${Math.round(toMs - fromMs)} ms from ${new Date(fromMs).toISOString()}`,
        )
    })
  },
}

interface Overlap {
  readonly first: Life
  readonly second: Life
  readonly fromMs: number
  readonly toMs: number
}

function overlapsOf(lives: readonly Life[]): Overlap[] {
  return lives.flatMap((first) =>
    lives
      .filter(({ epoch }) => BigInt(epoch) > BigInt(first.epoch))
      .map((second) => ({
        first,
        second,
        fromMs: Math.max(first.beganMs ?? 0, second.beganMs ?? 0),
        toMs: Math.min(first.endedMs ?? Infinity, second.endedMs ?? Infinity),
      }))
      .filter(({ fromMs, toMs }) => fromMs < toMs),
  )
}

function isExcused(
  overlap: Overlap,
  guarantee: string | undefined,
  windows: readonly FaultWindow[],
): boolean {
  return windows.some(({ allowsOverlap, fromMs, toMs }) => {
    const isAllowed =
      allowsOverlap === 'any' ||
      (allowsOverlap === 'at_least_once' && guarantee === 'at_least_once')
    return isAllowed && fromMs <= overlap.fromMs && overlap.toMs <= toMs + STOP_MS + SLACK_MS
  })
}

export const atMostOneStart: Invariant = {
  numbers: [6],
  says: 'an at-most-once execution starts one process at most',
  check(evidence) {
    const lives = evidence.lives.filter(
      ({ execution }) => guaranteeOf(evidence, execution) === 'at_most_once',
    )
    const groups = [...groupBy(lives, ({ execution }) => execution)]
    return checkEach(groups, ([id, { length }]) =>
      length === 1 ? [] : [`${id}: the witness saw ${length} processes`],
    )
  },
}

export const successWasSeen: Invariant = {
  numbers: [7],
  says: 'what succeeded was seen to live to its end and leave with 0, under that epoch',
  check(evidence) {
    const lives = groupBy(evidence.lives, ({ execution, epoch }) => `${execution} ${epoch}`)
    const witnessed = evidence.attempts.filter(
      ({ execution, outcome }) =>
        outcome === 'succeeded' && guaranteeOf(evidence, execution) !== undefined,
    )
    return checkEach(witnessed, ({ execution, epoch, number }) => {
      const seen = lives.get(`${execution} ${epoch}`) ?? []
      const isSeen = seen.length === 1 && seen[0]?.exitCode === 0 && seen[0].endedMs !== undefined
      const what = JSON.stringify(seen)
      return isSeen
        ? []
        : [`${execution} attempt ${number} epoch ${epoch}: the witness saw ${what}`]
    })
  },
}

export const slotsAreNotExceeded: Invariant = {
  numbers: [14],
  says: 'no worker runs more attempts than it has slots',
  check(evidence) {
    const workerOf = new Map(
      evidence.attempts.map(({ execution, epoch, worker }) => [`${execution} ${epoch}`, worker]),
    )
    const lives = begun(evidence).filter(({ execution, epoch }) =>
      workerOf.has(`${execution} ${epoch}`),
    )
    const groups = groupBy(lives, ({ execution, epoch }) => workerOf.get(`${execution} ${epoch}`))
    return checkEach([...groups], ([worker = '', ofWorker]) => {
      const slots = evidence.slots.get(worker) ?? 0
      const most = mostAtOnce(ofWorker)
      return most <= slots ? [] : [`${worker}: ${most} attempts at once in ${slots} slots`]
    })
  },
}

function mostAtOnce(lives: readonly Life[]): number {
  const edges = lives
    .flatMap(({ beganMs = 0, endedMs = Infinity }) => [
      { atMs: beganMs, step: 1 },
      { atMs: endedMs, step: -1 },
    ])
    // An end at the same moment comes first.
    .toSorted((a, b) => a.atMs - b.atMs || a.step - b.step)
  let now = 0
  let most = 0
  for (const { step } of edges) {
    now += step
    most = Math.max(most, now)
  }
  return most
}

function begun({ lives }: Evidence): Life[] {
  return lives.filter(({ beganMs }) => beganMs !== undefined)
}

const guarantees = new WeakMap<Evidence, ReadonlyMap<string, string>>()

/** Of an execution of the load; undefined for others. */
function guaranteeOf(evidence: Evidence, id: string): string | undefined {
  const known =
    guarantees.get(evidence) ??
    new Map(
      evidence.executions.flatMap(({ id, job }) => {
        const guarantee = evidence.jobs.get(job)?.guarantee
        return guarantee === undefined ? [] : [[id, guarantee] as const]
      }),
    )
  guarantees.set(evidence, known)
  return known.get(id)
}

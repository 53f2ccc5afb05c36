/**
 * Who of a job may start, who waits, and who is left out. Pure: the caller holds the gate of the job, so that nobody else
 * decides about it meanwhile.
 *
 * O1. Of a job with a limit never more executions are let in than the limit, whatever asked for them.
 * O2. What waits is let in by due time (by creation where there is none); executions of backfills after all others.
 * O3. Whoever is left out hears which execution is in the way.
 */
import type { ExecutionId, Trigger } from '../job/execution.ts'
import type { OverlapPolicy } from '../job/overlap-policy.ts'

/** More of one job do not wait: a schedule that never catches up would fill the database. */
export const WAITING_MAX = 1_000

/** Executions of one job that were let in by one gate, or by none, and have not ended. */
export interface LiveGroup {
  readonly gate: string | null
  readonly isBackfill: boolean
  readonly count: number
  /** The oldest of them, at least one. */
  readonly ids: readonly ExecutionId[]
  /** Of `ids` those that nobody has asked to end yet. */
  readonly unasked: readonly ExecutionId[]
}

/** One that waits to be let in. */
export interface HeldExecution {
  readonly id: ExecutionId
  readonly trigger: Trigger
  readonly gate: string
  readonly scheduledFor: Date | null
  /** Its start time has come, and nobody has decided about it yet. */
  readonly isNew: boolean
  /** Of a backfill: how many of it at once. */
  readonly gateLimit: number | null
}

/** One that is asked for. */
export interface Arrival {
  readonly id: ExecutionId
  readonly trigger: Trigger
  readonly scheduledFor: Date | undefined
}

/** What there is of one job; what waits is in the order of O2. */
export interface Occupancy {
  readonly liveCount: number
  /** The oldest of those that live. */
  readonly first: ExecutionId | undefined
  /** Without executions of backfills. */
  readonly held: readonly Pick<HeldExecution, 'id' | 'trigger' | 'scheduledFor'>[]
}

export type Admission =
  | { readonly kind: 'start' }
  /** `replaces`: these do not wait any more. */
  | { readonly kind: 'wait'; readonly replaces: readonly ExecutionId[] }
  | { readonly kind: 'skip'; readonly behind: ExecutionId; readonly why: 'runs' | 'waits' | 'full' }

/** Decides about one that is asked for now. */
export function admitArrival(
  policy: OverlapPolicy,
  { liveCount, first, held }: Occupancy,
  arrival: Arrival,
): Admission {
  const [waiting] = held
  if (liveCount < policy.limit && waiting === undefined) return { kind: 'start' }
  switch (policy.kind) {
    case 'skip':
      if (waiting !== undefined && liveCount < policy.limit) return left(waiting.id, 'waits')
      return first === undefined ? { kind: 'start' } : left(first, 'runs')
    case 'queue_all':
      return waiting !== undefined && held.length >= WAITING_MAX
        ? left(waiting.id, 'full')
        : { kind: 'wait', replaces: [] }
    case 'queue_one':
      if (waiting === undefined) return { kind: 'wait', replaces: [] }
      return isDue(arrival) && held.every(isDue)
        ? { kind: 'wait', replaces: held.map(({ id }) => id) }
        : left(waiting.id, 'waits')
    case 'cancel_running':
      return { kind: 'wait', replaces: held.map(({ id }) => id) }
  }
}

function left(behind: ExecutionId, why: 'runs' | 'waits' | 'full'): Admission {
  return { kind: 'skip', behind, why }
}

/** The newest due time stands for those before it; what a person has asked for stands for itself. */
function isDue({ trigger }: Pick<Arrival, 'trigger'>): boolean {
  return trigger === 'schedule' || trigger === 'catch_up'
}

export interface Round {
  /** Those with the oldest execution first. */
  readonly live: readonly LiveGroup[]
  /** In the order of O2. */
  readonly held: readonly HeldExecution[]
}

export interface Verdicts {
  /** In this order. */
  readonly start: readonly ExecutionId[]
  readonly skip: readonly { readonly id: ExecutionId; readonly behind: ExecutionId }[]
  /** Still waits; `behind` is what it waits for first. */
  readonly wait: readonly { readonly id: ExecutionId; readonly behind: ExecutionId }[]
  readonly cancel: readonly { readonly id: ExecutionId; readonly behind: ExecutionId }[]
}

/** Decides about all that wait; `policy` undefined: the job has none (any more). */
export function admitHeld(policy: OverlapPolicy | undefined, { live, held }: Round): Verdicts {
  const isBackfill = ({ trigger }: Pick<HeldExecution, 'trigger'>) => trigger === 'backfill'
  const regular = held.filter((each) => !isBackfill(each))
  const { kept, skip } = leaveOut(policy, live, regular)
  const job = roomOf(live, policy?.limit)
  const backfills = new Map<string, Room>()
  const start: ExecutionId[] = []
  const wait: { id: ExecutionId; behind: ExecutionId }[] = []
  for (const each of [...kept, ...held.filter(isBackfill)]) {
    const own = isBackfill(each) ? backfillOf(backfills, live, each) : undefined
    const behind = fullBehind(own) ?? fullBehind(job)
    if (behind !== undefined) {
      wait.push({ id: each.id, behind })
      continue
    }
    for (const room of [job, own]) if (room !== undefined) enter(room, each.id)
    start.push(each.id)
  }
  return { start, skip, wait, cancel: cancelsFor(policy, live, { regular: kept, wait }) }
}

/** How many are inside, who was first, and how many may be. */
interface Room {
  count: number
  first: ExecutionId | undefined
  readonly limit: number
}

function roomOf(groups: readonly LiveGroup[], limit = Number.POSITIVE_INFINITY): Room {
  return { count: countOf(groups), first: groups[0]?.ids[0], limit }
}

function countOf(groups: readonly LiveGroup[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0)
}

function backfillOf(
  rooms: Map<string, Room>,
  live: readonly LiveGroup[],
  { gate, gateLimit }: HeldExecution,
): Room {
  const own = live.filter((group) => group.gate === gate)
  const room = rooms.get(gate) ?? roomOf(own, gateLimit ?? undefined)
  rooms.set(gate, room)
  return room
}

/** Who is in the way of one more; undefined: nobody. */
function fullBehind(room: Room | undefined): ExecutionId | undefined {
  return room !== undefined && room.count >= room.limit ? room.first : undefined
}

function enter(room: Room, id: ExecutionId): void {
  room.count += 1
  room.first ??= id
}

/** Those whose time has come just now are decided about as if they were asked for now. */
function leaveOut(
  policy: OverlapPolicy | undefined,
  live: readonly LiveGroup[],
  regular: readonly HeldExecution[],
) {
  const { waiting: first, skip } = onlyNewest(
    policy,
    regular.filter(({ isNew }) => !isNew),
  )
  let waiting = first
  const started: HeldExecution[] = []
  for (const each of regular.filter(({ isNew }) => isNew)) {
    const arrival = { ...each, scheduledFor: each.scheduledFor ?? undefined }
    const occupancy = {
      liveCount: countOf(live) + started.length,
      first: live[0]?.ids[0] ?? started[0]?.id,
      held: waiting,
    }
    const admission = policy === undefined ? NO_LIMIT : admitArrival(policy, occupancy, arrival)
    if (admission.kind === 'skip') {
      skip.push({ id: each.id, behind: admission.behind })
    } else if (admission.kind === 'start') {
      started.push(each)
    } else {
      const replaced = new Set(admission.replaces)
      for (const { id } of waiting) if (replaced.has(id)) skip.push({ id, behind: each.id })
      waiting = [...waiting.filter(({ id }) => !replaced.has(id)), each]
    }
  }
  return { kept: [...started, ...waiting], skip }
}

/** Two may wait where one should: somebody was ending the first when the second came, and did not. */
function onlyNewest(policy: OverlapPolicy | undefined, waiting: readonly HeldExecution[]) {
  const replaceable = waiting.filter(
    (each) => policy?.kind === 'cancel_running' || (policy?.kind === 'queue_one' && isDue(each)),
  )
  const newest = replaceable.at(-1)
  const skip: { id: ExecutionId; behind: ExecutionId }[] = []
  if (newest === undefined) return { waiting, skip }
  for (const { id } of replaceable.slice(0, -1)) skip.push({ id, behind: newest.id })
  const gone = new Set(skip.map(({ id }) => id))
  return { waiting: waiting.filter(({ id }) => !gone.has(id)), skip }
}

const NO_LIMIT: Admission = { kind: 'start' }

/** What runs makes room for the first one that waits; executions of backfills are waited for. */
function cancelsFor(
  policy: OverlapPolicy | undefined,
  live: readonly LiveGroup[],
  {
    regular,
    wait,
  }: { readonly regular: readonly HeldExecution[]; readonly wait: Verdicts['wait'] },
): Verdicts['cancel'] {
  if (policy?.kind !== 'cancel_running') return []
  const behind = regular.find(({ id }) => wait.some((each) => each.id === id))?.id
  if (behind === undefined) return []
  return live
    .filter(({ isBackfill }) => !isBackfill)
    .flatMap(({ unasked }) => unasked.map((id) => ({ id, behind })))
}

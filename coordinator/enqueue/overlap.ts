/**
 * At the gate: executions of jobs with a limit are let in, wait, or are left out, as they are enqueued.
 *
 * V1. Whoever decides about a job holds its gate until its transaction ends, so no two let in what is one too many.
 * V2. Nobody waits in a ring: whoever holds a gate waits for no execution, and for activities only of jobs with a schedule,
 *     while those who come with an activity in hand (the dependency loop) want gates only of jobs without one.
 * V3. A job without a limit passes without a statement.
 */
import type { JobSpec } from '../../proto/gen/rota/v1/job.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import { type OverlapPolicy, overlapPolicy } from '../job/overlap-policy.ts'
import type { Db } from '../store/database.ts'
import { type Admission, type Arrival, admitArrival, type HeldExecution } from './decide-overlap.ts'
import {
  type Amendment,
  amendOccurrences,
  giveUpHeld,
  lockGates,
  readHeld,
  readLive,
} from './overlap-queries.ts'

/** One that is asked for, with the job version that it is of. */
export interface Planned {
  readonly request: NewExecution
  readonly spec: JobSpec
  readonly jobUid: string
}

/** Null gate: it passes none. `isHeld`: it waits to be let in. */
export interface Admitted<P extends Planned> {
  readonly planned: P
  readonly gate: string | null
  readonly isHeld: boolean
}

/** One that was left out. */
export interface LeftOut {
  readonly id: ExecutionId
  readonly reason: string
  readonly behind: ExecutionId
}

export interface AtGate<P extends Planned> {
  readonly admitted: readonly Admitted<P>[]
  readonly leftOut: readonly LeftOut[]
}

/** Decides about what is asked for, in its order. The ledger is put right for those that are left out or give way. */
export async function passGates<P extends Planned>(
  tx: Db,
  planned: readonly P[],
): Promise<AtGate<P>> {
  const limited = planned.filter(isLimited)
  if (limited.length === 0) {
    return { admitted: planned.map((each) => passed(each)), leftOut: [] }
  }
  const jobIds = [...new Set(limited.map(({ request }) => request.jobId))].sort((a, b) => a - b)
  await lockGates(tx, jobIds)
  const rooms = await readRooms(tx, jobIds)
  const decided = planned.map((each) => decide(each, rooms))
  const given = await giveWay(tx, [...rooms.values()])
  const out = decided.flatMap(({ out }) => (out === undefined ? [] : [out]))
  const amendments = [...out, ...given].flatMap(toAmendment)
  if (amendments.length > 0) await amendOccurrences(tx, amendments)
  // One that may wait may have given way to a later one of the same transaction.
  const gone = new Set(given.map(({ id }) => id))
  const admitted = decided.flatMap(({ admitted }) =>
    admitted === undefined || gone.has(admitted.planned.request.id) ? [] : [admitted],
  )
  const asked = new Set(planned.map(({ request }) => request.id))
  return { admitted, leftOut: [...out, ...given.filter(({ id }) => asked.has(id))] }
}

function isLimited({ request, spec }: Planned): boolean {
  return request.backfillId === undefined && overlapPolicy(spec) !== undefined
}

/** Executions of backfills always wait to be let in: the loop knows how many of them may. */
function passed<P extends Planned>(planned: P): Admitted<P> {
  const { backfillId } = planned.request
  return { planned, gate: backfillId ?? null, isHeld: backfillId !== undefined }
}

/** What there is of a job, and what has changed in it by this transaction. */
interface Room {
  liveCount: number
  first: ExecutionId | undefined
  held: (Pick<HeldExecution, 'id' | 'trigger' | 'scheduledFor'> & { readonly isStored: boolean })[]
  readonly replaced: { readonly id: ExecutionId; readonly by: Left; readonly isStored: boolean }[]
}

/** What the ledger has to say about a due time. */
interface Left extends LeftOut {
  readonly jobId: JobId
  readonly scheduledFor: Date | undefined
  readonly decision: Amendment['decision']
}

async function readRooms(tx: Db, jobIds: readonly JobId[]): Promise<ReadonlyMap<JobId, Room>> {
  const live = await readLive(tx, jobIds)
  const held = await readHeld(tx, jobIds)
  const liveOf = (jobId: JobId) => live.filter(({ job_id }) => job_id === jobId)
  return new Map(
    jobIds.map((jobId) => [
      jobId,
      {
        liveCount: liveOf(jobId).reduce((sum, { count }) => sum + count, 0),
        first: liveOf(jobId)[0]?.ids[0],
        held: held
          .filter(({ job_id, trigger }) => job_id === jobId && trigger !== 'backfill')
          .map(({ id, trigger, scheduled_for }) => {
            return { id, trigger, scheduledFor: scheduled_for, isStored: true }
          }),
        replaced: [],
      },
    ]),
  )
}

interface Decided<P extends Planned> {
  readonly admitted?: Admitted<P>
  readonly out?: Left
}

function decide<P extends Planned>(planned: P, rooms: ReadonlyMap<JobId, Room>): Decided<P> {
  const { request, spec, jobUid } = planned
  const policy = overlapPolicy(spec)
  const room = rooms.get(request.jobId)
  if (!isLimited(planned) || policy === undefined || room === undefined) {
    return { admitted: passed(planned) }
  }
  // Decided about when its time comes.
  if (request.availableAt !== undefined) {
    return { admitted: { planned, gate: jobUid, isHeld: false } }
  }
  const admission = admitArrival(policy, room, request)
  if (admission.kind === 'skip') return { out: leftOut(request, policy, admission) }
  if (admission.kind === 'start') enter(room, request.id)
  else wait(room, request, admission.replaces)
  return { admitted: { planned, gate: jobUid, isHeld: admission.kind === 'wait' } }
}

function enter(room: Room, id: ExecutionId): void {
  room.liveCount += 1
  room.first ??= id
}

function wait(room: Room, request: NewExecution, replaces: readonly ExecutionId[]): void {
  for (const each of room.held.filter(({ id }) => replaces.includes(id))) {
    const when = request.scheduledFor?.toISOString()
    const by = when === undefined ? 'a newer one' : `the newer due time ${when}`
    const left: Left = {
      id: each.id,
      jobId: request.jobId,
      scheduledFor: each.scheduledFor ?? undefined,
      decision: 'coalesced',
      reason: `overlap: ${by} waits in its place, as execution ${request.id}`,
      behind: request.id,
    }
    room.replaced.push({ id: each.id, by: left, isStored: each.isStored })
  }
  const { id, trigger, scheduledFor } = request
  room.held = [
    ...room.held.filter((each) => !replaces.includes(each.id)),
    { id, trigger, scheduledFor: scheduledFor ?? null, isStored: false },
  ]
}

/** Those that waited already give way in the database; one that somebody ends just now is left to them. */
async function giveWay(tx: Db, rooms: readonly Room[]): Promise<Left[]> {
  const replaced = rooms.flatMap((room) => room.replaced)
  const stored = replaced.filter(({ isStored }) => isStored)
  const notes = stored.map(({ id, by }) => ({ id, message: by.reason }))
  const given = new Set(stored.length === 0 ? [] : await giveUpHeld(tx, notes))
  return replaced.filter(({ id, isStored }) => !isStored || given.has(id)).map(({ by }) => by)
}

const WHY: Readonly<Record<Extract<Admission, { kind: 'skip' }>['why'], string>> = {
  runs: 'has not ended',
  waits: 'waits already',
  full: 'waits already, as do as many as may',
}

function leftOut(
  request: Arrival & { readonly jobId: JobId },
  policy: OverlapPolicy,
  { behind, why }: Extract<Admission, { kind: 'skip' }>,
): Left {
  const { id, jobId, scheduledFor } = request
  const reason = `overlap ${policy.kind.replace('_', ' ')}: execution ${behind} ${WHY[why]}`
  return { id, jobId, scheduledFor, decision: 'skipped_overlap', reason, behind }
}

function toAmendment({ jobId, scheduledFor, decision, reason }: Left): Amendment[] {
  return scheduledFor === undefined ? [] : [{ jobId, scheduledFor, decision, reason }]
}

import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type { ExecutionId, JobId, Trigger } from '../job/execution.ts'
import { hasIdOf } from '../store/by-id.ts'
import type { Db } from '../store/database.ts'
import type { Decision } from '../store/schedule-tables.ts'

/** Of one gate as many are looked at in one round. */
const HEADS_MAX = 100

/** Advisory locks: rows of the job are locked by others in other orders. */
const GATE_KEY = sql`hashtextextended('rota.gate/' || j.id, 0)`

/** Waits for the gates of these jobs, which must be in the order of their ids; they are held until the transaction ends. */
export async function lockGates(db: Db, jobIds: readonly JobId[]): Promise<void> {
  await sql`/* lockGates */
    select pg_advisory_xact_lock(${GATE_KEY}) from unnest(${jobIds}::bigint[]) as j (id)`.execute(
    db,
  )
}

/** Takes the gates that are free, and answers of which jobs. */
export async function tryLockGates(db: Db, jobIds: readonly JobId[]): Promise<JobId[]> {
  const { rows } = await sql<{ id: JobId }>`/* tryLockGates */
    select id from unnest(${jobIds}::bigint[]) as j (id) where pg_try_advisory_xact_lock(${GATE_KEY})`.execute(
    db,
  )
  return rows.map(({ id }) => id)
}

export interface HeldJob {
  readonly id: JobId
  readonly name: string
  readonly version: number
}

/** Jobs that have something waiting at a gate, from `after` on, by their ids; each is found by one step in the index. */
export async function heldJobs(db: Db, after: JobId | 0, limit: number): Promise<HeldJob[]> {
  const { rows } = await sql<HeldJob>`/* heldJobs */
    with recursive held (job_id) as (
      select min(job_id) from rota.execution
      where state = 'waiting' and gate is not null and reason_code <> 'DEPENDENCY' and job_id > ${after}
      union all
      select (
        select min(e.job_id) from rota.execution e
        where e.state = 'waiting' and e.gate is not null and e.reason_code <> 'DEPENDENCY' and e.job_id > h.job_id)
      from held h where h.job_id is not null
    ), found as (select job_id from held where job_id is not null limit ${limit})
    select j.id, j.name, j.version from found join rota.job j on j.id = found.job_id order by j.id`.execute(
    db,
  )
  return rows
}

export interface LiveRow {
  readonly job_id: JobId
  readonly gate: string | null
  readonly is_backfill: boolean
  readonly count: number
  /** The oldest of them, and those of these that nobody has asked to end. */
  readonly ids: ExecutionId[]
  readonly unasked: ExecutionId[]
}

/**
 * What of these jobs was let in and has not ended, also what waits for dependencies or its next attempt: one row for each
 * gate, the one with the oldest execution first.
 */
export async function readLive(db: Db, jobIds: readonly JobId[]): Promise<LiveRow[]> {
  const { rows } = await sql<Omit<LiveRow, 'unasked'> & { asked: boolean[] }>`/* readLive */
    select e.job_id, e.gate, e.trigger = 'backfill' as is_backfill, count(*)::int as count,
      (array_agg(e.id order by e.created_at, e.id))[1:${HEADS_MAX}] as ids,
      (array_agg(e.cancel_requested_at is not null order by e.created_at, e.id))[1:${HEADS_MAX}] as asked
    from rota.execution e
    where e.job_id = any (${jobIds}::bigint[]) and not (e.state = 'waiting' and e.reason_code <> 'DEPENDENCY')
    group by e.job_id, e.gate, e.trigger = 'backfill'
    order by e.job_id, min(e.created_at)`.execute(db)
  return rows.map(({ asked, ...row }) => {
    return { ...row, unasked: row.ids.filter((_, index) => asked[index] === false) }
  })
}

export interface HeldRow {
  readonly id: ExecutionId
  readonly job_id: JobId
  readonly trigger: Trigger
  readonly gate: string
  readonly scheduled_for: Date | null
  readonly is_new: boolean
  readonly gate_limit: number | null
  readonly reason_message: string
}

/** The heads of what waits at the gates of these jobs, those of backfills last. */
export async function readHeld(db: Db, jobIds: readonly JobId[]): Promise<HeldRow[]> {
  const { rows } = await sql<HeldRow>`/* readHeld */
    select h.*, b.max_parallel as gate_limit
    from unnest(${jobIds}::bigint[]) as j (id)
    cross join lateral (
      select distinct e.gate from rota.execution e
      where e.job_id = j.id and e.state = 'waiting' and e.gate is not null and e.reason_code <> 'DEPENDENCY'
    ) g cross join lateral (
      select e.id, e.job_id, e.trigger, e.gate, e.scheduled_for, e.created_at,
        e.reason_code = 'SCHEDULED_LATER' as is_new, e.reason_message
      from rota.execution e
      where e.job_id = j.id and e.gate = g.gate and e.state = 'waiting' and e.reason_code <> 'DEPENDENCY'
        and e.reason_code in ('OVERLAP', 'SCHEDULED_LATER') and e.available_at = 'infinity'
      order by coalesce(e.scheduled_for, e.created_at), e.id limit ${HEADS_MAX}
    ) h left join rota.backfill b on b.id = h.gate
    order by h.job_id, h.trigger = 'backfill', coalesce(h.scheduled_for, h.created_at), h.id`.execute(
    db,
  )
  return rows
}

/**
 * Move `release` of what waits at a gate; what somebody ends just now is left to them. Those that then wait for the
 * dependencies of their job stay `waiting`.
 */
export async function releaseHeld(
  db: Db,
  ids: readonly ExecutionId[],
  dependent: readonly ExecutionId[],
): Promise<void> {
  await sql`/* releaseHeld */
    with free as materialized (
      select id, id = any (${dependent}::uuid[]) as is_dependent from rota.execution
      where id = any (${[...ids, ...dependent]}::uuid[]) and state = 'waiting'
        and reason_code in ('OVERLAP', 'SCHEDULED_LATER')
      for update skip locked
    ), changed as (
      update rota.execution e
      set state = case when f.is_dependent then 'waiting' else 'queued' end,
        reason_code = case when f.is_dependent then 'DEPENDENCY' else '' end, reason_message = '',
        available_at = case when f.is_dependent then 'infinity' else clock_timestamp() end
      from free f where ${hasIdOf('f')}
      returning ${MOVED}
    ), moved as (select * from changed where state = 'queued')
    ${tellMoved('queued')}`.execute(db)
}

export interface HeldNote {
  readonly id: ExecutionId
  readonly message: string
}

/**
 * Says what they wait for; one whose time has just come waits here from now on. Whoever has one of them in hand just now is
 * not waited for.
 */
export async function describeHeld(db: Db, notes: readonly HeldNote[]): Promise<void> {
  await sql`/* describeHeld */
    with free as materialized (
      select e.id, n.message
      from unnest(${notes.map(({ id }) => id)}::uuid[], ${notes.map(({ message }) => message)}::text[]) as n (id, message)
      join rota.execution e on ${hasIdOf('n')}
      where e.state = 'waiting' and e.reason_code in ('OVERLAP', 'SCHEDULED_LATER')
      for update of e skip locked
    )
    update rota.execution e set reason_code = 'OVERLAP', reason_message = f.message
    from free f where ${hasIdOf('f')}`.execute(db)
}

/** These do not wait for their turn any more; whoever finds them so ends them. Answers those that still waited. */
export async function giveUpHeld(db: Db, notes: readonly HeldNote[]): Promise<ExecutionId[]> {
  const { rows } = await sql<{ id: ExecutionId }>`/* giveUpHeld */
    with free as materialized (
      select e.id, n.message
      from unnest(${notes.map(({ id }) => id)}::uuid[], ${notes.map(({ message }) => message)}::text[]) as n (id, message)
      join rota.execution e on ${hasIdOf('n')}
      where e.state = 'waiting' and e.reason_code in ('OVERLAP', 'SCHEDULED_LATER')
      for update of e skip locked
    )
    update rota.execution e set reason_code = 'OVERLAP_SKIPPED', reason_message = f.message
    from free f where ${hasIdOf('f')}
    returning e.id`.execute(db)
  return rows.map(({ id }) => id)
}

/** What was given up and has not been ended yet. */
export async function readGivenUp(db: Db, jobIds: readonly JobId[]): Promise<HeldNote[]> {
  const { rows } = await sql<HeldNote>`/* readGivenUp */
    select id, reason_message as message from rota.execution
    where job_id = any (${jobIds}::bigint[]) and state = 'waiting' and gate is not null
      and reason_code <> 'DEPENDENCY' and reason_code = 'OVERLAP_SKIPPED'
    limit ${HEADS_MAX}`.execute(db)
  return rows
}

export interface Amendment {
  readonly jobId: JobId
  readonly scheduledFor: Date
  readonly decision: Extract<Decision, 'skipped_overlap' | 'coalesced'>
  readonly reason: string
}

/** Due times that get no execution after all, or whose execution gave way before it began. */
export async function amendOccurrences(db: Db, amendments: readonly Amendment[]): Promise<void> {
  const column = <K extends keyof Amendment>(key: K) => amendments.map((row) => row[key])
  await sql`/* amendOccurrences */
    update rota.occurrence o
    set decision = a.decision, reason = a.reason, execution_id = null
    from unnest(${column('jobId')}::bigint[], ${column('scheduledFor')}::timestamptz[], ${column('decision')}::text[],
      ${column('reason')}::text[]) as a (job_id, scheduled_for, decision, reason)
    where o.job_id = a.job_id and o.scheduled_for = a.scheduled_for and o.decision = 'enqueued'`.execute(
    db,
  )
}

import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { PlacementNeeds } from '../job/placement.ts'
import type { Db } from '../store/database.ts'
import { WORKER_LABELS, WORKER_SLOTS } from '../store/worker-columns.ts'
import type { FleetMember, JobEvidence } from './decide-cordon.ts'

/** Active, connected workers with at least so many failures in a row, the worst ones first. */
export async function readDoubtful(
  db: Db,
  bounds: { readonly failuresMin: number; readonly limit: number },
): Promise<WorkerId[]> {
  const { rows } = await sql<{ id: WorkerId }>`/* readDoubtful */
    select w.id from rota.worker w join rota.session s on s.worker_id = w.id
    where w.state = 'active' and w.deleted_at is null and w.consecutive_failures >= ${bounds.failuresMin}
    order by w.consecutive_failures desc, w.id limit ${bounds.limit}`.execute(db)
  return rows.map(({ id }) => id)
}

/** True for one transaction at a time; the lock ends with it. */
export async function tryLockCordons(db: Db): Promise<boolean> {
  const { rows } = await sql<{ is_locked: boolean }>`/* tryLockCordons */
    select pg_try_advisory_xact_lock(hashtext('rota.cordon')) as is_locked`.execute(db)
  return rows[0]?.is_locked === true
}

/** Failures of one worker and executions of one job that are looked at, at most. */
const FAILURES_MAX = 200
const EXECUTIONS_MAX = 1_000

export type WorkerEvidence = JobEvidence & { readonly workerId: WorkerId }

/**
 * For these workers and each job that failed there within the window, and since their state changed last: what became of
 * it there and elsewhere.
 */
export async function readFailureEvidence(
  db: Db,
  workerIds: readonly WorkerId[],
  windowMs: number,
): Promise<WorkerEvidence[]> {
  // Stable, unlike clock_timestamp(): partitions before it are not read.
  const since = sql<Date>`(statement_timestamp() - ${windowMs} * interval '1 millisecond')`
  const { rows } = await sql<WorkerEvidence>`/* readFailureEvidence */
    with failed as materialized (
      select w.id as worker_id, x.job_id, count(*) as failed_here
      from rota.worker w
      cross join lateral (
        select a.execution_id from rota.attempt a
        where a.worker = w.name and a.outcome in ('failed', 'timed_out', 'start_failed') and a.ended_at > ${since}
          and (w.state_at is null or a.ended_at > w.state_at)
        order by a.ended_at desc limit ${FAILURES_MAX}) f
      join rota.execution_any x on x.id = f.execution_id
      where w.id = any (${workerIds}::bigint[])
      group by w.id, x.job_id
    )
    select f.worker_id as "workerId", j.name as job, f.failed_here as "failedHere", e.*
    from failed f join rota.job j on j.id = f.job_id
    cross join lateral (
      select
        count(*) filter (where h.worker_id = f.worker_id and h.state = 'succeeded') as "succeededHere",
        count(*) filter (where h.worker_id <> f.worker_id and h.state = 'succeeded') as "succeededElsewhere",
        count(*) filter (where h.worker_id <> f.worker_id and h.state = 'failed') as "failedElsewhere"
      from (
        select worker_id, state from rota.execution_history
        where job_id = f.job_id and settled_at > ${since} limit ${EXECUTIONS_MAX}) h
    ) e`.execute(db)
  return rows
}

/** All workers, as far as a cordon of one of them concerns the others. */
export async function readFleetMembers(db: Db): Promise<FleetMember[]> {
  const { rows } = await sql<{
    id: WorkerId
    name: string
    capabilities: string[]
    handlers: string[]
    labels: Record<string, string>
    slots: number
    is_active: boolean
    is_cordoned_by_rota: boolean
  }>`/* readFleetMembers */
    select w.id, w.name, w.capabilities, w.handlers, ${WORKER_LABELS} as labels, ${WORKER_SLOTS} as slots,
      w.state = 'active' and s.id is not null as is_active,
      w.state = 'cordoned' and w.state_actor = 'rota' as is_cordoned_by_rota
    from rota.worker w left join rota.session s on s.worker_id = w.id
    where w.deleted_at is null`.execute(db)
  return rows.map(({ capabilities, handlers, is_active, is_cordoned_by_rota, ...rest }) => ({
    ...rest,
    capabilities: new Set(capabilities),
    handlers: new Set(handlers),
    isActive: is_active,
    isCordonedByRota: is_cordoned_by_rota,
  }))
}

const CLASSES_MAX = 1_000

/** What executions need, the newest first; of what runs on one worker only, what waits now. */
export async function readNeeds(db: Db): Promise<PlacementNeeds[]> {
  const { rows } = await sql<PlacementNeeds>`/* readNeeds */
    select capabilities, selector, worker, slots from rota.placement_class c
    where worker = '' or exists (
      select from rota.execution e where e.class_id = c.id and e.state = 'queued')
    order by id desc limit ${CLASSES_MAX}`.execute(db)
  return rows
}

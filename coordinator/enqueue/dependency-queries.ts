import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** Takes checks out of the outbox; they come back if the transaction does not commit. */
export async function takeDependencyChecks(db: Db, limit: number): Promise<JobId[]> {
  const { rows } = await sql<{ job_id: JobId }>`/* takeDependencyChecks */
    delete from rota.dependency_check
    where id = any (array(
      select id from rota.dependency_check order by id limit ${limit} for update skip locked))
    returning job_id`.execute(db)
  return [...new Set(rows.map((row) => row.job_id))].sort((a, b) => a - b)
}

export interface DependentJob {
  readonly id: JobId
  readonly version: number
  readonly dependency_mark: Date
}

/** One active job, locked against a second look at the same time; undefined when it is paused or gone. */
export async function lockDependentJob(db: Db, jobId: JobId): Promise<DependentJob | undefined> {
  const { rows } = await sql<DependentJob>`/* lockDependentJob */
    select j.id, j.version, a.dependency_mark
    from rota.job j join rota.job_activity a on a.job_id = j.id
    where j.id = ${jobId} and j.state in ('active', 'completed')
    for update of a`.execute(db)
  return rows[0]
}

export interface DependencyActivity {
  readonly name: string
  readonly last_succeeded_at: Date | null
  readonly last_failed_at: Date | null
}

/** How the jobs that this one depends on have fared of late. */
export async function readDependencyActivities(
  db: Db,
  jobId: JobId,
): Promise<{ now: Date; activities: DependencyActivity[] }> {
  const { rows } = await sql<DependencyActivity & { now: Date }>`/* readDependencyActivities */
    select j.name, a.last_succeeded_at, a.last_failed_at, clock_timestamp()::timestamptz(3) as now
    from rota.dependency d
    join rota.job j on j.id = d.on_job_id
    join rota.job_activity a on a.job_id = d.on_job_id
    where d.job_id = ${jobId}`.execute(db)
  return { now: rows[0]?.now ?? new Date(0), activities: rows }
}

/** The executions of a job that wait for its dependencies, oldest first. */
export async function lockWaitingForDependencies(db: Db, jobId: JobId): Promise<ExecutionId[]> {
  const { rows } = await sql<{ id: ExecutionId }>`/* lockWaitingForDependencies */
    select id from rota.execution
    where job_id = ${jobId} and state = 'waiting' and reason_code = 'DEPENDENCY'
    order by created_at, id
    for update`.execute(db)
  return rows.map(({ id }) => id)
}

/** Move `release` of these waiting executions. */
export async function releaseWaiting(db: Db, ids: readonly ExecutionId[]): Promise<void> {
  await sql`/* releaseWaiting */
    with moved as (
      update rota.execution e
      set state = 'queued', reason_code = '', reason_message = '', available_at = clock_timestamp()
      where id = any (${ids}::uuid[]) and state = 'waiting'
      returning ${MOVED}
    )
    ${tellMoved('queued')}`.execute(db)
}

/** Says in words what the executions wait for. */
export async function describeWaiting(
  db: Db,
  ids: readonly ExecutionId[],
  message: string,
): Promise<void> {
  await sql`/* describeWaiting */
    update rota.execution set reason_message = ${message}
    where id = any (${ids}::uuid[]) and state = 'waiting' and reason_message <> ${message}`.execute(
    db,
  )
}

/** Completions up to `mark` have been used now. */
export async function advanceDependencyMark(db: Db, jobId: JobId, mark: Date): Promise<void> {
  await sql`/* advanceDependencyMark */
    update rota.job_activity set dependency_mark = ${mark}
    where job_id = ${jobId} and dependency_mark < ${mark}`.execute(db)
}

import { sql } from 'kysely'
import { type ExecutionId, type JobId, LIVE_STATES } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { JobState } from '../store/tables.ts'

export interface JobDefinition {
  readonly name: string
  readonly displayName: string
  readonly description: string
  readonly labels: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  readonly state: JobState
}

/** Inserts a job with version 1; fails with the constraint `job_name` when the name is taken. */
export async function insertJob(
  db: Db,
  job: JobDefinition & { readonly uid: string },
): Promise<{ id: JobId; created_at: Date }> {
  const row = await db
    .insertInto('rota.job')
    .values({
      uid: job.uid,
      name: job.name,
      display_name: job.displayName,
      description: job.description,
      labels: JSON.stringify(job.labels),
      tags: [...job.tags],
      state: job.state,
      version: 1,
    })
    .returning(['id', 'created_at'])
    .executeTakeFirstOrThrow()
  await sql`insert into rota.job_activity (job_id) values (${row.id})`.execute(db)
  return row
}

/** Writes what a job is now and answers its new etag. The row was locked before. */
export async function updateJobRow(
  db: Db,
  id: JobId,
  job: JobDefinition & { readonly version: number },
): Promise<void> {
  await db
    .updateTable('rota.job')
    .set({
      display_name: job.displayName,
      description: job.description,
      labels: JSON.stringify(job.labels),
      tags: [...job.tags],
      state: job.state,
      version: job.version,
      revision: sql<number>`revision + 1`,
      updated_at: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .execute()
}

export async function insertJobVersion(
  db: Db,
  version: {
    readonly jobId: JobId
    readonly version: number
    readonly spec: string
    readonly createdBy: string
    readonly note: string
  },
): Promise<void> {
  await db
    .insertInto('rota.job_version')
    .values({
      job_id: version.jobId,
      version: version.version,
      spec: version.spec,
      created_by: version.createdBy,
      note: version.note,
    })
    .execute()
}

/**
 * Locks a job that is not deleted; answers its id. The lock leaves its key alone: jobs that begin to depend on this one
 * must not wait for it.
 */
export async function lockJob(db: Db, name: string): Promise<JobId | undefined> {
  const { rows } = await sql<{ id: JobId }>`
    select id from rota.job where name = ${name} and state <> 'deleted' for no key update`.execute(
    db,
  )
  return rows[0]?.id
}

/** Sets what an operator wants of a job. */
export async function setJobState(
  db: Db,
  id: JobId,
  change: {
    readonly state: JobState
    /** Of a job that is paused: why, by whom, and until when. */
    readonly pause?: {
      readonly reason: string
      readonly by: string
      readonly until: Date | undefined
    }
  },
): Promise<void> {
  await db
    .updateTable('rota.job')
    .set({
      state: change.state,
      pause_reason: change.pause?.reason ?? '',
      paused_by: change.pause?.by ?? '',
      resume_at: change.pause?.until ?? null,
      revision: sql<number>`revision + 1`,
      updated_at: sql<Date>`clock_timestamp()`,
      deleted_at: change.state === 'deleted' ? sql<Date>`clock_timestamp()` : null,
    })
    .where('id', '=', id)
    .execute()
}

/** The database's clock. */
export async function databaseNow(db: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`/* databaseNow */
    select clock_timestamp()::timestamptz(3) as now`.execute(db)
  return rows[0]?.now ?? new Date(Number.NaN)
}

/** Sets the next due time; everything up to `markedAt` counts as decided. What is to be skipped stays. */
export async function putSchedule(
  db: Db,
  schedule: {
    readonly jobId: JobId
    readonly jobVersion: number
    readonly markedAt: Date
    /** When it must be looked at: the next due time, or the end of its pause. */
    readonly dueAt: Date
    readonly runAt: Date | undefined
    readonly pause: SchedulePause | undefined
  },
): Promise<void> {
  const { pause } = schedule
  const values = {
    job_version: schedule.jobVersion,
    marked_at: schedule.markedAt,
    due_at: schedule.dueAt,
    run_at: schedule.runAt ?? null,
    is_paused: pause !== undefined,
    resume_at: pause?.until ?? null,
    pause_note: pause?.note ?? '',
  }
  await db
    .insertInto('rota.schedule')
    .values({ job_id: schedule.jobId, ...values })
    .onConflict((conflict) => conflict.column('job_id').doUpdateSet(values))
    .execute()
}

export interface SchedulePause {
  /** Undefined: for good. */
  readonly until: Date | undefined
  /** Stands in the ledger. */
  readonly note: string
}

/**
 * Pauses a schedule, or says when its pause ends, without moving its mark: the loop decides what is due by then as paused.
 * False when there is no schedule.
 */
export async function pauseSchedule(
  db: Db,
  jobId: JobId,
  change: SchedulePause & { readonly runAt: Date | undefined },
): Promise<boolean> {
  const { rows } = await sql`/* pauseSchedule */
    update rota.schedule
    set is_paused = true, resume_at = ${change.until ?? null}, pause_note = ${change.note}, run_at = ${change.runAt ?? null},
      due_at = greatest(clock_timestamp(), marked_at + interval '1 millisecond')
    where job_id = ${jobId}
    returning job_id`.execute(db)
  return rows.length > 0
}

/** Says how many of the next runs are skipped. False when there is no schedule. */
export async function skipRuns(
  db: Db,
  jobId: JobId,
  skip: {
    readonly count: number
    readonly after: Date
    readonly note: string
    readonly runAt: Date | undefined
  },
): Promise<boolean> {
  const { rows } = await sql`/* skipRuns */
    update rota.schedule
    set skip_left = ${skip.count}, skip_after = ${skip.after}, skip_note = ${skip.note}, run_at = ${skip.runAt ?? null}
    where job_id = ${jobId}
    returning job_id`.execute(db)
  return rows.length > 0
}

/** A new version with the same schedule: nothing that is due or decided changes. */
export async function setScheduleVersion(db: Db, jobId: JobId, version: number): Promise<void> {
  await db
    .updateTable('rota.schedule')
    .set({ job_version: version })
    .where('job_id', '=', jobId)
    .execute()
}

/** Has a schedule looked at, so that it says anew when it runs next. */
export async function wakeSchedule(db: Db, jobId: JobId): Promise<void> {
  await sql`/* wakeSchedule */
    update rota.schedule set due_at = greatest(clock_timestamp(), marked_at + interval '1 millisecond')
    where job_id = ${jobId} and due_at > clock_timestamp()`.execute(db)
}

/** Due times after `from` that were left out because the job was paused are as if nobody had decided them. */
export async function forgetPaused(db: Db, jobId: JobId, from: Date): Promise<void> {
  await sql`/* forgetPaused */
    delete from rota.occurrence
    where job_id = ${jobId} and scheduled_for > ${from} and decision = 'skipped_paused'`.execute(db)
}

export async function deleteSchedule(db: Db, jobId: JobId): Promise<void> {
  await db.deleteFrom('rota.schedule').where('job_id', '=', jobId).execute()
}

/** Only one change of dependencies at a time, so that two together cannot close a cycle. Ends with the transaction. */
export async function lockDependencies(db: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('rota.dependency'))`.execute(db)
}

/** Ids of jobs that are not deleted, by name. */
export async function findJobIds(
  db: Db,
  names: readonly string[],
): Promise<ReadonlyMap<string, JobId>> {
  if (names.length === 0) return new Map()
  const rows = await db
    .selectFrom('rota.job')
    .select(['id', 'name'])
    .where('name', 'in', [...names])
    .where('state', '<>', 'deleted')
    .execute()
  return new Map(rows.map(({ id, name }) => [name, id]))
}

/** Everything that can be reached from these jobs along their dependencies, as name -> names. */
export async function readDependencyGraph(
  db: Db,
  from: readonly JobId[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await sql<{ name: string; on_names: string[] }>`
    with recursive reached (id) as (
      select unnest(${from}::bigint[])
      union
      select d.on_job_id from reached r join rota.dependency d on d.job_id = r.id
    )
    select j.name, array_agg(o.name) as on_names
    from reached r
    join rota.job j on j.id = r.id
    join rota.dependency d on d.job_id = r.id
    join rota.job o on o.id = d.on_job_id
    group by j.name`.execute(db)
  return new Map(rows.map((row) => [row.name, row.on_names]))
}

export async function replaceDependencies(
  db: Db,
  jobId: JobId,
  on: readonly JobId[],
): Promise<void> {
  await db.deleteFrom('rota.dependency').where('job_id', '=', jobId).execute()
  if (on.length === 0) return
  await db
    .insertInto('rota.dependency')
    .values(on.map((on_job_id) => ({ job_id: jobId, on_job_id })))
    .execute()
}

/** Names of the jobs that depend on this one. */
export async function readDependents(db: Db, jobId: JobId): Promise<string[]> {
  const rows = await db
    .selectFrom('rota.dependency as d')
    .innerJoin('rota.job as j', 'j.id', 'd.job_id')
    .select('j.name')
    .where('d.on_job_id', '=', jobId)
    .where('j.state', '<>', 'deleted')
    .orderBy('j.name')
    .limit(100)
    .execute()
  return rows.map(({ name }) => name)
}

/** The live executions of a job that no worker has, or all of them. */
export async function readLiveExecutions(
  db: Db,
  jobId: JobId,
  { withRunning }: { readonly withRunning: boolean },
): Promise<ExecutionId[]> {
  const rows = await db
    .selectFrom('rota.execution')
    .select('id')
    .where('job_id', '=', jobId)
    .where('state', 'in', withRunning ? [...LIVE_STATES] : ['waiting', 'queued', 'backoff'])
    .execute()
  return rows.map(({ id }) => id)
}

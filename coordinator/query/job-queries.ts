import { type SelectQueryBuilder, sql } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { JobState, Tables } from '../store/tables.ts'
import { keysetAfter, orderTerms, type Page } from './keyset-queries.ts'

/** A job with what is known of it besides its definition. */
export interface JobRow {
  readonly id: JobId
  readonly uid: string
  readonly name: string
  readonly display_name: string
  readonly description: string
  readonly labels: Record<string, string>
  readonly tags: string[]
  readonly state: JobState
  readonly pause_reason: string
  readonly paused_by: string
  /** When its pause ends by itself. */
  readonly resume_at: Date | null
  readonly version: number
  readonly revision: number
  readonly created_at: Date
  readonly updated_at: Date
  readonly spec: Record<string, unknown>
  readonly due_at: Date | null
  /** Everything up to here is decided; null without a next due time. */
  readonly marked_at: Date | null
  /** The next due time that will really run. */
  readonly run_at: Date | null
  readonly skip_left: number
  readonly skip_after: Date | null
  readonly last_due_at: Date | null
  readonly last_execution_id: ExecutionId | null
  readonly consecutive_failures: number
}

/** Columns that jobs can be filtered and sorted by, by their name in the API. */
export const JOB_COLUMNS = {
  name: sql<string>`j.name`,
  state: sql<string>`j.state`,
  display_name: sql<string>`j.display_name`,
  create_time: sql<Date>`j.created_at`,
  update_time: sql<Date>`j.updated_at`,
  next_fire_time: sql<Date>`coalesce(s.run_at, 'infinity')`,
  labels: sql`j.labels`,
  tags: sql`j.tags`,
} as const

function jobs(db: Db) {
  return db
    .selectFrom('rota.job as j')
    .innerJoin('rota.job_version as v', (join) =>
      join.onRef('v.job_id', '=', 'j.id').onRef('v.version', '=', 'j.version'),
    )
    .innerJoin('rota.job_activity as a', 'a.job_id', 'j.id')
    .leftJoin('rota.schedule as s', 's.job_id', 'j.id')
}

const JOB_ROW = [
  'j.id',
  'j.uid',
  'j.name',
  'j.display_name',
  'j.description',
  'j.labels',
  'j.tags',
  'j.state',
  'j.pause_reason',
  'j.paused_by',
  'j.resume_at',
  'j.version',
  'j.revision',
  'j.created_at',
  'j.updated_at',
  'v.spec',
  's.due_at',
  's.marked_at',
  's.run_at',
  's.skip_after',
  sql<number>`coalesce(s.skip_left, 0)`.as('skip_left'),
  'a.last_due_at',
  'a.last_execution_id',
  'a.consecutive_failures',
] as const

export interface NamedJobRow extends JobRow {
  /** Some freeze of now refuses triggers by hand; of which jobs, it says itself. */
  readonly has_manual_freeze: boolean
}

const HAS_MANUAL_FREEZE = sql<boolean>`exists (select from rota.freeze f
  where f.include_manual and f.starts_at <= clock_timestamp() and f.ends_at > clock_timestamp())`

/** Jobs by their ids in the API; deleted ones are not found. Each trigger asks, so it is planned once. */
export async function readJobsByName(db: Db, names: readonly string[]): Promise<NamedJobRow[]> {
  const all = jobs(db).select(JOB_ROW).select(HAS_MANUAL_FREEZE.as('has_manual_freeze'))
  // The state is no parameter: the index on names is one of those that are not deleted.
  const { rows } = await sql<NamedJobRow>`/* readJobsByName */
    select * from ${all} as j where j.name = any (${names}::text[]) and j.state <> 'deleted'`.execute(
    db,
  )
  return rows
}

/** These jobs, also when they were deleted. */
export async function readJobs(db: Db, ids: readonly JobId[]): Promise<JobRow[]> {
  if (ids.length === 0) return []
  const rows = await jobs(db)
    .select(JOB_ROW)
    .where(sql<boolean>`j.id = any (${ids}::bigint[])`)
    .execute()
  return rows as unknown as JobRow[]
}

export interface JobListing extends Page<typeof JOB_COLUMNS> {
  /** Free text over name, display name, description and definition. */
  readonly query: string
  readonly showDeleted: boolean
}

/** One page, and how many there are in all. */
export async function listJobs(
  db: Db,
  listing: JobListing,
): Promise<{ rows: JobRow[]; total: number }> {
  const matching = narrow(jobs(db), listing)
  const rows = await matching
    .select(JOB_ROW)
    .where(keysetAfter(listing))
    .orderBy(orderTerms(listing))
    .limit(listing.limit)
    .execute()
  const { total } = await matching
    .select(sql<number>`count(*)`.as('total'))
    .executeTakeFirstOrThrow()
  return { rows: rows as unknown as JobRow[], total }
}

function narrow<DB extends Tables, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  { condition, query: text, showDeleted }: JobListing,
) {
  const pattern = `%${text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`
  return query
    .where(condition)
    .where(sql<boolean>`(${showDeleted} or j.state <> 'deleted')`)
    .where(
      sql<boolean>`(${text} = '' or concat_ws(' ', j.name, j.display_name, j.description, j.labels::text, v.spec::text)
        ilike ${pattern})`,
    )
}

/** Some names of jobs, for a "did you mean". */
export async function someJobNames(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom('rota.job')
    .select('name')
    .where('state', '<>', 'deleted')
    .orderBy('name')
    .limit(5_000)
    .execute()
  return rows.map(({ name }) => name)
}

/** The versions of a job, newest first. */
export async function listJobVersions(
  db: Db,
  jobId: JobId,
  page: { readonly before: number; readonly limit: number },
) {
  return db
    .selectFrom('rota.job_version')
    .select(['version', 'spec', 'created_at', 'created_by', 'note'])
    .where('job_id', '=', jobId)
    .where('version', '<', page.before)
    .orderBy('version', 'desc')
    .limit(page.limit)
    .execute()
}

/** The spec of one version, as it is stored. */
export async function readJobVersionSpec(
  db: Db,
  jobId: JobId,
  version: number,
): Promise<Record<string, unknown> | undefined> {
  const row = await db
    .selectFrom('rota.job_version')
    .select('spec')
    .where('job_id', '=', jobId)
    .where('version', '=', version)
    .executeTakeFirst()
  return row?.spec
}

export interface JobFigures {
  readonly running: number
  readonly queued: number
  readonly succeeded: number
  readonly settled: number
  readonly p50_ms: number | null
  readonly p95_ms: number | null
}

/** Counters of one job, over its newest settled executions. */
export async function readJobFigures(db: Db, jobId: JobId): Promise<JobFigures> {
  const { rows } = await sql<JobFigures>`
    with newest as (
      select state, extract(epoch from settled_at - started_at)::float8 * 1000 as duration_ms
      from rota.execution_history where job_id = ${jobId}
      order by created_at desc limit 100
    ), live as (
      select count(*) filter (where state in ('assigned', 'running')) as running,
        count(*) filter (where state in ('waiting', 'queued', 'backoff')) as queued
      from rota.execution where job_id = ${jobId}
    )
    select live.running, live.queued,
      count(*) filter (where newest.state = 'succeeded') as succeeded, count(newest.state) as settled,
      percentile_cont(0.5) within group (order by duration_ms) as p50_ms,
      percentile_cont(0.95) within group (order by duration_ms) as p95_ms
    from live left join newest on true
    group by live.running, live.queued`.execute(db)
  const [figures] = rows
  if (figures === undefined) throw new Error('an aggregate without a row')
  return figures
}

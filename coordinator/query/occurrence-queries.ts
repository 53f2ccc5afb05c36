import { sql } from 'kysely'
import type { ExecutionId, ExecutionState } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { Decision } from '../store/schedule-tables.ts'
import { keysetAfter, orderTerms, type Page } from './keyset-queries.ts'

export interface OccurrenceRow {
  readonly job: string
  readonly scheduled_for: Date
  readonly decided_at: Date
  readonly decision: Decision
  readonly reason: string
  readonly execution_id: ExecutionId | null
  /** Null: no execution, or its history is not kept any more. */
  readonly execution_state: ExecutionState | null
  /** Of the newest backfill over this due time. */
  readonly backfill_execution_id: ExecutionId | null
}

export const OCCURRENCE_COLUMNS = {
  job: sql<string>`j.name`,
  scheduled_for: sql<Date>`o.scheduled_for`,
  decide_time: sql<Date>`o.decided_at`,
  decision: sql<string>`o.decision`,
} as const

export interface OccurrenceListing extends Page<typeof OCCURRENCE_COLUMNS> {
  /** Blank: of all jobs. */
  readonly job: string
  readonly from: Date | undefined
  readonly to: Date | undefined
}

/** The ledger, with what became of the executions of the page. */
export async function listOccurrences(
  db: Db,
  listing: OccurrenceListing,
): Promise<OccurrenceRow[]> {
  const rows = await readPage(db, listing)
  const states = await readExecutionStates(
    db,
    rows.flatMap(({ execution_id: id }) => id ?? []),
  )
  return rows.map((row) => {
    return { ...row, execution_state: states.get(row.execution_id) ?? null }
  })
}

async function readExecutionStates(
  db: Db,
  ids: readonly ExecutionId[],
): Promise<ReadonlyMap<ExecutionId | null, ExecutionState>> {
  if (ids.length === 0) return new Map()
  const { rows } = await sql<{ id: ExecutionId; state: ExecutionState }>`/* readExecutionStates */
    select id, state from rota.execution_any where id = any (${ids}::uuid[])`.execute(db)
  return new Map(rows.map(({ id, state }) => [id, state]))
}

async function readPage(
  db: Db,
  listing: OccurrenceListing,
): Promise<Omit<OccurrenceRow, 'execution_state'>[]> {
  const { job, from, to } = listing
  return db
    .selectFrom('rota.occurrence as o')
    .innerJoin('rota.job as j', 'j.id', 'o.job_id')
    .select([
      'j.name as job',
      'o.scheduled_for',
      'o.decided_at',
      'o.decision',
      'o.reason',
      'o.execution_id',
      sql<ExecutionId | null>`(
        select r.execution_id from rota.backfill_run r join rota.backfill b on b.id = r.backfill_id
        where r.job_id = o.job_id and r.scheduled_for = o.scheduled_for order by b.created_at desc limit 1)`.as(
        'backfill_execution_id',
      ),
    ])
    .where(listing.condition)
    .$if(job !== '', (query) => query.where('j.name', '=', job))
    .$if(from !== undefined, (query) => query.where('o.scheduled_for', '>=', from as Date))
    .$if(to !== undefined, (query) => query.where('o.scheduled_for', '<', to as Date))
    .where(keysetAfter(listing))
    .orderBy(orderTerms(listing))
    .limit(listing.limit)
    .execute()
}

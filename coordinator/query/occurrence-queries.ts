import { sql } from 'kysely'
import type { ExecutionId } from '../job/execution.ts'
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

/** The ledger. */
export async function listOccurrences(
  db: Db,
  listing: OccurrenceListing,
): Promise<OccurrenceRow[]> {
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

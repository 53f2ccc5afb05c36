import { sql } from 'kysely'
import type { ExecutionId, ExecutionState, JobId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { Decision } from '../store/schedule-tables.ts'

/** A row of the ledger with what became of its execution. */
export interface LedgerEntry {
  readonly scheduled_for: Date
  readonly decided_at: Date
  readonly decision: Decision
  readonly reason: string
  readonly execution_id: ExecutionId | null
  /** Null: no execution, or its history is not kept any more. */
  readonly state: ExecutionState | null
  readonly reason_code: string | null
  readonly reason_message: string | null
  readonly settled_at: Date | null
}

export async function readLedgerEntry(
  db: Db,
  jobId: JobId,
  at: Date,
): Promise<LedgerEntry | undefined> {
  const { rows } = await sql<LedgerEntry>`/* readLedgerEntry */
    select o.scheduled_for, o.decided_at, o.decision, o.reason, o.execution_id, e.state, e.reason_code,
      e.reason_message, e.settled_at
    from rota.occurrence o left join rota.execution_any e on e.id = o.execution_id
    where o.job_id = ${jobId} and o.scheduled_for = ${at}`.execute(db)
  return rows[0]
}

export interface VersionAt {
  readonly version: number
  readonly created_at: Date
  readonly spec: Record<string, unknown>
  /** When the version behind it was saved; null for the newest. */
  readonly replaced_at: Date | null
}

/** The version that was in force at a time; undefined when there was none yet. */
export async function readVersionAt(
  db: Db,
  jobId: JobId,
  at: Date,
): Promise<VersionAt | undefined> {
  const { rows } = await sql<VersionAt>`/* readVersionAt */
    select v.version, v.created_at, v.spec,
      (select min(n.created_at) from rota.job_version n where n.job_id = v.job_id and n.version > v.version) as replaced_at
    from rota.job_version v where v.job_id = ${jobId} and v.created_at <= ${at}
    order by v.version desc limit 1`.execute(db)
  return rows[0]
}

export interface JobSwitch {
  readonly change: 'paused' | 'resumed'
  readonly happened_at: Date
  readonly actor: string
  readonly message: string
}

/** The last time that the job was paused or resumed before `at`, and the first time after it. */
export async function readSwitchesAround(db: Db, jobId: JobId, at: Date): Promise<JobSwitch[]> {
  const { rows } = await sql<JobSwitch>`/* readSwitchesAround */
    with switches as (
      select change, happened_at, actor, message from rota.event
      where type = 'job' and job_id = ${jobId} and change in ('paused', 'resumed')
    )
    (select * from switches where happened_at <= ${at} order by happened_at desc limit 1)
    union all
    (select * from switches where happened_at > ${at} order by happened_at limit 1)`.execute(db)
  return rows
}

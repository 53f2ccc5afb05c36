/** Rows of the schema `rota` about what is due and what holds it back; a part of tables.ts. */
import type { Generated } from 'kysely'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { JsonObject, StampedAt } from './columns.ts'

export type Decision =
  | 'enqueued'
  | 'skipped_overlap'
  | 'skipped_calendar'
  | 'skipped_paused'
  | 'skipped_freeze'
  | 'skipped_requested'
  | 'missed'
  | 'coalesced'

export type FreezeAfter = 'skip' | 'run_once' | 'run_all'

export interface ScheduleTable {
  job_id: JobId
  job_version: number
  marked_at: Date
  due_at: Date
  run_at: Date | null
  is_paused: Generated<boolean>
  resume_at: Date | null
  pause_note: Generated<string>
  skip_left: Generated<number>
  skip_after: Date | null
  skip_note: Generated<string>
}

export interface CalendarTable {
  id: Generated<number>
  name: string
  display_name: Generated<string>
  description: Generated<string>
  days: JsonObject
  revision: Generated<number>
  created_at: StampedAt
  updated_at: StampedAt
}

export interface FreezeTable {
  id: Generated<number>
  name: string
  reason: Generated<string>
  owner: string
  job_prefix: Generated<string>
  selector: Generated<string>
  starts_at: Date
  ends_at: Date
  after: FreezeAfter
  include_manual: Generated<boolean>
  created_at: StampedAt
  thawed_up_to: Generated<number>
  thawed_at: Date | null
  execution_count: Generated<number>
}

export interface OccurrenceTable {
  job_id: JobId
  scheduled_for: Date
  decided_at: StampedAt
  decision: Decision
  reason: Generated<string>
  execution_id: ExecutionId | null
  freeze_id: number | null
}

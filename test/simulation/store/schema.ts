/** The tables that the flow uses, as versioned rows; what the model's statements work on. */
import type { Selectable } from 'kysely'
import type { Tables } from '../../../coordinator/store/tables.ts'
import type { StoreTransaction } from './store-transaction.ts'
import { VersionedTable } from './versioned-table.ts'

export type JobRow = Selectable<Tables['rota.job']>
export type JobVersionRow = Selectable<Tables['rota.job_version']>
export type ActivityRow = Selectable<Tables['rota.job_activity']>
export type ScheduleRow = Selectable<Tables['rota.schedule']>
export type OccurrenceRow = Selectable<Tables['rota.occurrence']>
export type ClassRow = Selectable<Tables['rota.placement_class']>
export type ExecutionRow = Selectable<Tables['rota.execution']>
export type HistoryRow = Selectable<Tables['rota.execution_history']>
export type AttemptRow = Selectable<Tables['rota.attempt']>
export type WorkerRow = Selectable<Tables['rota.worker']>
export type SessionRow = Selectable<Tables['rota.session']>
export type CheckRow = Selectable<Tables['rota.dependency_check']>
export type ScheduleEndRow = Selectable<Tables['rota.schedule_end']>
export type RequestRow = Selectable<Tables['rota.request']>
export type LateReportRow = Selectable<Tables['rota.late_report']>
export type CoordinatorRow = Selectable<Tables['rota.coordinator']>
export type QuarantineRow = Tables['rota.quarantine']
export type DependencyRow = Tables['rota.dependency']

/** PostgreSQL's `infinity`: the latest time that JavaScript has. */
export const INFINITY = new Date(8.64e15)

/** It drains, and its time is over. */
export function isGivenUp(worker: WorkerRow | undefined, nowMs: number): boolean {
  const endMs = worker?.drain_deadline_at?.getTime() ?? Number.POSITIVE_INFINITY
  return worker?.state === 'draining' && endMs <= nowMs
}

export function occurrenceKey(jobId: number, scheduledFor: Date): string {
  return `${jobId}/${scheduledFor.getTime()}`
}

export function createTables() {
  return {
    job: new VersionedTable<JobRow>('job', ({ id }) => id),
    jobVersion: new VersionedTable<JobVersionRow>(
      'job_version',
      (row) => `${row.job_id}/${row.version}`,
    ),
    activity: new VersionedTable<ActivityRow>('job_activity', ({ job_id }) => job_id),
    dependency: new VersionedTable<DependencyRow>(
      'dependency',
      (row) => `${row.job_id}/${row.on_job_id}`,
    ),
    schedule: new VersionedTable<ScheduleRow>('schedule', ({ job_id }) => job_id),
    scheduleEnd: new VersionedTable<ScheduleEndRow>('schedule_end', ({ id }) => id),
    occurrence: new VersionedTable<OccurrenceRow>('occurrence', (row) =>
      occurrenceKey(row.job_id, row.scheduled_for),
    ),
    class: new VersionedTable<ClassRow>('placement_class', ({ key }) => key),
    execution: new VersionedTable<ExecutionRow>('execution', ({ id }) => id),
    history: new VersionedTable<HistoryRow>(
      'execution_history',
      (row) => `${row.id}/${row.settled_at.getTime()}`,
    ),
    attempt: new VersionedTable<AttemptRow>(
      'attempt',
      (row) => `${row.execution_id}/${row.number}/${row.epoch}`,
    ),
    worker: new VersionedTable<WorkerRow>('worker', ({ id }) => id),
    session: new VersionedTable<SessionRow>('session', ({ id }) => id),
    check: new VersionedTable<CheckRow>('dependency_check', ({ id }) => id),
    request: new VersionedTable<RequestRow>(
      'request',
      (row) => `${row.actor}/${row.method}/${row.request_id}`,
    ),
    lateReport: new VersionedTable<LateReportRow>(
      'late_report',
      (row) => `${row.execution_id}/${row.epoch}`,
    ),
    coordinator: new VersionedTable<CoordinatorRow>('coordinator', ({ id }) => id),
    quarantine: new VersionedTable<QuarantineRow>('quarantine', ({ worker_id }) => worker_id),
    /** Advisory locks: rows that are never there. */
    advisory: new VersionedTable<{ readonly id: string }>('advisory', ({ id }) => id),
  }
}

export type StoreTables = ReturnType<typeof createTables>

/** What a statement of the model works with. */
export interface StatementContext {
  readonly tx: StoreTransaction
  readonly tables: StoreTables
  readonly parameters: readonly unknown[]
  /** `clock_timestamp()` in ms since 1970, with fractions. */
  readonly nowMs: number
  /** The same as `timestamptz(3)`. */
  readonly now: Date
  nextEpoch(): number
  lastEpoch(): number
  nextId(): number
}

export type StatementModel = (context: StatementContext) => object[]

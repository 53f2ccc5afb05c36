/** Rows of the schema `rota`, as Kysely sees them. `test/database/tables.test.ts` compares this with the database. */
import type { ColumnType, Generated } from 'kysely'
import type { Change } from '../events/event.ts'
import type {
  AttemptOutcome,
  ExecutionId,
  ExecutionState,
  FinalState,
  Guarantee,
  JobId,
  LiveState,
  SessionId,
  Trigger,
  WorkerId,
} from '../job/execution.ts'
import type { JsonObject, StampedAt } from './columns.ts'
import type {
  CalendarTable,
  FreezeTable,
  OccurrenceTable,
  ScheduleTable,
} from './schedule-tables.ts'

export type JobState = 'active' | 'paused' | 'completed' | 'deleted'
export type WorkerState = 'active' | 'cordoned' | 'draining' | 'drained'
export interface Tables {
  'rota.job': JobTable
  'rota.job_version': JobVersionTable
  'rota.dependency': { job_id: JobId; on_job_id: JobId }
  'rota.job_activity': JobActivityTable
  'rota.schedule': ScheduleTable
  'rota.schedule_end': { id: Generated<number>; job_id: JobId }
  'rota.calendar': CalendarTable
  'rota.job_calendar': { job_id: JobId; calendar_id: number }
  'rota.freeze': FreezeTable
  'rota.occurrence': OccurrenceTable
  'rota.backfill': BackfillTable
  'rota.backfill_run': BackfillRunTable
  'rota.placement_class': PlacementClassTable
  'rota.execution': ExecutionTable
  'rota.execution_history': ExecutionHistoryTable
  'rota.execution_any': ExecutionAnyView
  'rota.attempt': AttemptTable
  'rota.log_chunk': LogChunkTable
  'rota.worker': WorkerTable
  'rota.session': SessionTable
  'rota.deleted_worker': { id: WorkerId; uid: string; name: string; deleted_at: Date }
  'rota.worker_connection': { worker_id: WorkerId; connected_at: StampedAt }
  'rota.api_token': ApiTokenTable
  'rota.join_token': JoinTokenTable
  'rota.worker_certificate': WorkerCertificateTable
  'rota.dependency_check': { id: Generated<number>; job_id: JobId }
  'rota.request': RequestTable
  'rota.late_report': LateReportTable
  'rota.quarantine': QuarantineTable
  'rota.coordinator': CoordinatorTable
  'rota.authority': AuthorityTable
  'rota.event': EventTable
  'rota.cluster_state': ClusterStateTable
}

interface JobTable {
  id: Generated<JobId>
  uid: string
  name: string
  display_name: Generated<string>
  description: Generated<string>
  labels: JsonObject
  tags: Generated<string[]>
  state: JobState
  pause_reason: Generated<string>
  paused_by: Generated<string>
  resume_at: Date | null
  version: number
  revision: Generated<number>
  created_at: StampedAt
  updated_at: StampedAt
  deleted_at: Date | null
}

interface JobVersionTable {
  job_id: JobId
  version: number
  spec: JsonObject
  created_at: StampedAt
  created_by: string
  note: Generated<string>
}

interface JobActivityTable {
  job_id: JobId
  last_execution_id: ExecutionId | null
  last_due_at: Date | null
  last_succeeded_at: Date | null
  last_failed_at: Date | null
  consecutive_failures: Generated<number>
  dependency_mark: StampedAt
}

interface BackfillTable {
  id: string
  job_id: JobId
  job_version: number
  start_time: Date
  end_time: Date
  max_parallel: number
  succeeded_count: number
  live_count: number
  requested_by: string
  created_at: StampedAt
}

interface BackfillRunTable {
  backfill_id: string
  scheduled_for: Date
  job_id: JobId
  execution_id: ExecutionId
}

interface PlacementClassTable {
  id: Generated<number>
  key: string
  capabilities: string[]
  selector: string
  worker: string
  slots: number
}

interface ExecutionCommon {
  id: ExecutionId
  job_id: JobId
  job_version: number
  trigger: Trigger
  priority: number
  class_id: number
  guarantee: Guarantee
  scheduled_for: Date | null
  parameters: JsonObject
  requested_by: string
  replay_of: ExecutionId | null
  max_attempts: number
  worker_id: WorkerId | null
  started_at: Date | null
}

interface ExecutionTable extends ExecutionCommon {
  state: LiveState
  reason_code: Generated<string>
  reason_message: Generated<string>
  created_at: StampedAt
  available_at: Date
  start_deadline_at: Date | null
  attempt: Generated<number>
  failure_count: Generated<number>
  lost_count: Generated<number>
  epoch: Generated<number>
  session_id: SessionId | null
  assigned_at: Date | null
  accepted_at: Date | null
  progress: Generated<number>
  cancel_requested_at: Date | null
  cancel_reason: Generated<string>
  cancel_force: Generated<boolean>
  gate: string | null
}

interface ExecutionHistoryTable extends ExecutionCommon {
  state: FinalState
  reason_code: string
  reason_message: string
  created_at: Date
  attempt: number
  settled_at: Date
  outputs: JsonObject | null
}

interface ExecutionAnyView extends ExecutionCommon {
  state: ExecutionState
  reason_code: string
  reason_message: string
  created_at: Date
  attempt: number
  settled_at: Date | null
  outputs: JsonObject | null
  epoch: number | null
  session_id: SessionId | null
  assigned_at: Date | null
  progress: number
}

interface AttemptTable {
  execution_id: ExecutionId
  number: number
  epoch: number
  worker: string
  session_id: SessionId
  outcome: AttemptOutcome
  reason_code: string
  message: string
  exit_code: number | null
  signal: Generated<string>
  assigned_at: Date
  started_at: Date | null
  ended_at: Date
  cpu_ms: number | null
  peak_memory_bytes: number | null
  log_bytes: Generated<number>
  log_bytes_dropped: Generated<number>
}

interface LogChunkTable {
  execution_id: ExecutionId
  epoch: number
  stream: 'stdout' | 'stderr'
  offset: number
  run_at: Date
  attempt: number
  sequence: Generated<number>
  logged_at: Date
  data: Buffer
}

interface WorkerTable {
  id: Generated<WorkerId>
  uid: string
  name: string
  display_name: Generated<string>
  state: Generated<WorkerState>
  capabilities: Generated<string[]>
  handlers: Generated<string[]>
  agent_labels: JsonObject
  granted_labels: JsonObject
  slots: Generated<number>
  hostname: Generated<string>
  platform: Generated<string>
  agent_version: Generated<string>
  boot_id: Generated<string>
  consecutive_failures: Generated<number>
  created_at: StampedAt
  connected_at: Date | null
  last_heartbeat_at: Date | null
  state_reason: Generated<string>
  state_actor: Generated<string>
  state_at: Date | null
  revision: Generated<number>
  operator_labels: ColumnType<Record<string, string | null>, string | undefined, string>
  slot_limit: number | null
  drain_started_at: Date | null
  drain_deadline_at: Date | null
  drain_initial: Generated<number>
  deleted_at: Date | null
  refused_messages: Generated<number>
  recovery: Generated<number>
  stale_messages: Generated<number>
}

interface SessionTable {
  id: SessionId
  worker_id: WorkerId
  coordinator_id: string
  started_at: StampedAt
  renewals: Generated<number>
  renewed_at: StampedAt
  load_ratio: Generated<number>
  clock_skew_ms: Generated<number>
  cpu_ratio: Generated<number>
  memory_ratio: Generated<number>
  disk_ratio: Generated<number>
  event_loop_delay_ms: Generated<number>
  hello_order: Generated<number>
}

interface ApiTokenTable {
  id: string
  name: string
  secret_hash: Buffer
  role: 'admin'
  created_at: StampedAt
  expires_at: Date | null
  revoked_at: Date | null
}

interface JoinTokenTable {
  id: string
  secret_hash: Buffer
  worker: Generated<string>
  labels: JsonObject
  uses_left: number
  created_by: string
  created_at: StampedAt
  expires_at: Date
}

interface WorkerCertificateTable {
  fingerprint: string
  worker_id: WorkerId
  issued_at: StampedAt
  expires_at: Date
  revoked_at: Date | null
}

interface RequestTable {
  actor: string
  method: string
  request_id: string
  fingerprint: Buffer
  resource: string
  created_at: StampedAt
}

interface ClusterStateTable {
  id: Generated<boolean>
  timeline: number | null
  recovery: Generated<number>
  recovering_since: Date | null
  epoch_floor: Generated<number>
}

interface LateReportTable {
  execution_id: ExecutionId
  epoch: number
  worker: string
  outcome: string
  exit_code: number | null
  message: string
  received_at: StampedAt
}

interface CoordinatorTable {
  id: string
  address: string
  version: string
  protocol_versions: number[]
  session_count: Generated<number>
  is_draining: Generated<boolean>
  started_at: StampedAt
  renewed_at: StampedAt
}

interface AuthorityTable {
  is_only: Generated<boolean>
  certificate_pem: string
  sealed_key: Buffer
  created_at: StampedAt
}

interface EventTable {
  id: Generated<number>
  /** A 64-bit transaction id, as text. */
  transaction_id: Generated<string>
  happened_at: StampedAt
  type: 'job' | 'execution' | 'worker' | 'executions'
  change: Change
  state: string
  job_id: JobId | null
  execution_id: ExecutionId | null
  worker: Generated<string>
  attempt: number | null
  epoch: number | null
  reason_code: Generated<string>
  message: Generated<string>
  actor: Generated<string>
  event_count: Generated<number>
  execution_ids: ExecutionId[] | null
  job_ids: JobId[] | null
  worker_ids: (WorkerId | null)[] | null
  assigned_at: Date | null
}

interface QuarantineTable {
  worker_id: WorkerId
  count: number
  until: Date
  evidence: string
}

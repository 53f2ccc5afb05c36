// breaking: no (first one)
import { type Kysely, sql } from 'kysely'

/**
 * The whole path: jobs, due times, live executions, history, attempts, output, workers, sessions, credentials.
 *
 * Times are `timestamptz(3)`: what JavaScript can hold, so that a value read is equal to the value stored.
 * Live executions are few and short-lived; what has settled moves to tables partitioned by day (retention/).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [jobs, queue, history, fleet, credentials, outboxes]) {
    await sql.raw(statement).execute(db)
  }
}

const jobs = `
create table rota.job (
  id bigint generated always as identity primary key,
  uid uuid not null unique,
  name text not null check (length(name) between 1 and 200),
  display_name text not null default '',
  description text not null default '',
  labels jsonb not null default '{}',
  tags text[] not null default '{}',
  state text not null check (state in ('active', 'paused', 'completed', 'deleted')),
  pause_reason text not null default '',
  version integer not null check (version >= 1),
  -- Counts every change, also those that make no version: the etag.
  revision bigint not null default 1,
  created_at timestamptz(3) not null default clock_timestamp(),
  updated_at timestamptz(3) not null default clock_timestamp(),
  deleted_at timestamptz(3),
  check ((state = 'deleted') = (deleted_at is not null))
);
-- serves: every lookup by name; a deleted name may be used again.
create unique index job_name on rota.job (name) where state <> 'deleted';

create table rota.job_version (
  job_id bigint not null references rota.job,
  version integer not null,
  spec jsonb not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  created_by text not null,
  note text not null default '',
  primary key (job_id, version)
);

create table rota.dependency (
  job_id bigint not null references rota.job,
  on_job_id bigint not null references rota.job,
  primary key (job_id, on_job_id),
  check (job_id <> on_job_id)
);
-- serves: who must be told that a job has completed.
create index dependency_on on rota.dependency (on_job_id);

-- What happened to a job of late; one narrow row, written when an execution settles.
create table rota.job_activity (
  job_id bigint primary key references rota.job,
  last_execution_id uuid,
  last_due_at timestamptz(3),
  last_succeeded_at timestamptz(3),
  last_failed_at timestamptz(3),
  consecutive_failures integer not null default 0,
  -- Completions up to here have released an execution of this job already.
  dependency_mark timestamptz(3) not null default clock_timestamp()
) with (fillfactor = 50);

-- The next due time of each active job that has one.
create table rota.schedule (
  job_id bigint primary key references rota.job,
  job_version integer not null,
  -- Everything up to here is decided. Only ever moves forward.
  marked_at timestamptz(3) not null,
  due_at timestamptz(3) not null,
  check (due_at > marked_at)
) with (fillfactor = 50);
-- serves: lockDueSchedules, nextDueTime.
create index schedule_due on rota.schedule (due_at);

-- The ledger: one row for every due time, whatever was decided.
create table rota.occurrence (
  job_id bigint not null,
  scheduled_for timestamptz(3) not null,
  decided_at timestamptz(3) not null default clock_timestamp(),
  decision text not null check (decision in ('enqueued', 'skipped_overlap', 'skipped_calendar', 'skipped_paused',
    'skipped_freeze', 'missed', 'coalesced')),
  reason text not null default '',
  execution_id uuid,
  primary key (job_id, scheduled_for),
  check ((decision = 'enqueued') = (execution_id is not null))
) partition by range (scheduled_for);
create table rota.occurrence_default partition of rota.occurrence default;
`

const queue = `
-- The fencing token: taken at each assignment, never used twice.
create sequence rota.epoch as bigint;

create table rota.placement_class (
  id integer generated always as identity primary key,
  key text not null unique,
  capabilities text[] not null,
  selector text not null,
  worker text not null,
  slots integer not null check (slots >= 0)
);

create table rota.execution (
  id uuid primary key,
  job_id bigint not null,
  job_version integer not null,
  state text not null check (state in ('waiting', 'queued', 'assigned', 'running', 'backoff')),
  reason_code text not null default '',
  reason_message text not null default '',
  trigger text not null check (trigger in ('schedule', 'manual', 'dependency', 'workflow', 'catch_up', 'backfill', 'replay')),
  priority smallint not null check (priority between 0 and 100),
  class_id integer not null,
  guarantee text not null check (guarantee in ('at_least_once', 'exclusive', 'at_most_once')),
  scheduled_for timestamptz(3),
  created_at timestamptz(3) not null default clock_timestamp(),
  -- Waiting and backoff: released then (infinity: by something else). Queued: since then.
  available_at timestamptz(3) not null,
  start_deadline_at timestamptz(3),
  parameters jsonb not null default '{}',
  requested_by text not null,
  replay_of uuid,
  -- Number of the current attempt; 0 before the first one.
  attempt integer not null default 0 check (attempt >= 0),
  max_attempts integer not null check (max_attempts >= 1),
  -- Attempts that count against max_attempts, and those that were lost.
  failure_count integer not null default 0,
  lost_count integer not null default 0,
  epoch bigint not null default 0,
  worker_id bigint,
  session_id uuid,
  assigned_at timestamptz(3),
  accepted_at timestamptz(3),
  started_at timestamptz(3),
  progress real not null default 0,
  cancel_requested_at timestamptz(3),
  cancel_reason text not null default '',
  cancel_force boolean not null default false,
  check ((state in ('assigned', 'running')) = (session_id is not null)),
  check ((session_id is null) = (worker_id is null)),
  check ((state = 'running') = (started_at is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
-- serves: lockQueued, class by class, in the order of the queue.
create index execution_queue on rota.execution (class_id, priority desc, available_at, id) where state = 'queued';
-- serves: releaseDue.
create index execution_release on rota.execution (available_at) where state in ('waiting', 'backoff');
-- serves: everything about one session.
create index execution_session on rota.execution (session_id) where session_id is not null;
-- serves: lists and counters of one job.
create index execution_job on rota.execution (job_id, created_at);
-- serves: expireQueued.
create index execution_deadline on rota.execution (start_deadline_at)
  where start_deadline_at is not null and state in ('waiting', 'queued', 'backoff');
`

const history = `
create table rota.execution_history (
  id uuid not null,
  job_id bigint not null,
  job_version integer not null,
  state text not null check (state in ('succeeded', 'failed', 'cancelled', 'uncertain', 'skipped')),
  reason_code text not null,
  reason_message text not null,
  trigger text not null,
  priority smallint not null,
  class_id integer not null,
  guarantee text not null,
  scheduled_for timestamptz(3),
  created_at timestamptz(3) not null,
  parameters jsonb not null,
  requested_by text not null,
  replay_of uuid,
  attempt integer not null,
  max_attempts integer not null,
  worker_id bigint,
  started_at timestamptz(3),
  settled_at timestamptz(3) not null,
  outputs jsonb,
  primary key (id, settled_at)
) partition by range (settled_at);
create table rota.execution_history_default partition of rota.execution_history default;
-- serves: lists, newest first, of all jobs and of one, and what has ended since; readStats.
create index execution_history_created on rota.execution_history (created_at, id);
create index execution_history_settled on rota.execution_history (settled_at);
create index execution_history_job on rota.execution_history (job_id, created_at, id);

-- Attempts that have ended; the one that goes on is in its execution.
create table rota.attempt (
  execution_id uuid not null,
  number integer not null check (number >= 1),
  epoch bigint not null,
  worker text not null,
  session_id uuid not null,
  outcome text not null check (outcome in ('succeeded', 'failed', 'timed_out', 'cancelled', 'lost', 'refused',
    'start_failed', 'superseded')),
  reason_code text not null,
  message text not null,
  exit_code integer,
  signal text not null default '',
  assigned_at timestamptz(3) not null,
  started_at timestamptz(3),
  ended_at timestamptz(3) not null,
  cpu_ms bigint,
  peak_memory_bytes bigint,
  log_bytes bigint not null default 0,
  log_bytes_dropped bigint not null default 0,
  primary key (execution_id, number, ended_at)
) partition by range (ended_at);
create table rota.attempt_default partition of rota.attempt default;

-- Output, as bytes. run_at is the time of the assignment: the same for all chunks of an attempt, sent once or twice.
create table rota.log_chunk (
  execution_id uuid not null,
  epoch bigint not null,
  stream text not null check (stream in ('stdout', 'stderr')),
  "offset" bigint not null check ("offset" >= 0),
  run_at timestamptz(3) not null,
  attempt integer not null,
  sequence bigint generated always as identity,
  logged_at timestamptz(3) not null,
  data bytea not null,
  primary key (execution_id, epoch, stream, "offset", run_at)
) partition by range (run_at);
create table rota.log_chunk_default partition of rota.log_chunk default;
-- serves: tailing in order of arrival.
create index log_chunk_sequence on rota.log_chunk (execution_id, sequence);

create view rota.execution_any as
  select id, job_id, job_version, state, reason_code, reason_message, trigger, priority, class_id, guarantee,
    scheduled_for, created_at, parameters, requested_by, replay_of, attempt, max_attempts, worker_id, started_at,
    null::timestamptz(3) as settled_at, null::jsonb as outputs, epoch, session_id, assigned_at, progress
  from rota.execution
  union all
  select id, job_id, job_version, state, reason_code, reason_message, trigger, priority, class_id, guarantee,
    scheduled_for, created_at, parameters, requested_by, replay_of, attempt, max_attempts, worker_id, started_at,
    settled_at, outputs, null, null, null, 1
  from rota.execution_history;
`

const fleet = `
create table rota.worker (
  id bigint generated always as identity primary key,
  uid uuid not null unique,
  name text not null unique,
  display_name text not null default '',
  state text not null default 'active' check (state in ('active', 'cordoned', 'draining', 'drained')),
  capabilities text[] not null default '{}',
  handlers text[] not null default '{}',
  -- What the agent says of itself, and what its join token granted; the latter win.
  agent_labels jsonb not null default '{}',
  granted_labels jsonb not null default '{}',
  slots integer not null default 0,
  hostname text not null default '',
  platform text not null default '',
  agent_version text not null default '',
  boot_id text not null default '',
  consecutive_failures integer not null default 0,
  created_at timestamptz(3) not null default clock_timestamp(),
  connected_at timestamptz(3),
  -- Of the last session; while there is one, its renewal tells.
  last_heartbeat_at timestamptz(3)
) with (fillfactor = 50);

-- One lease each. Narrow, because it is renewed every two seconds; gone when the session has ended.
create table rota.session (
  id uuid primary key,
  worker_id bigint not null unique references rota.worker,
  coordinator_id uuid not null,
  started_at timestamptz(3) not null default clock_timestamp(),
  renewals bigint not null default 0,
  renewed_at timestamptz(3) not null default clock_timestamp(),
  load_ratio real not null default 0,
  clock_skew_ms real not null default 0
) with (fillfactor = 50);
`

const credentials = `
create table rota.api_token (
  id uuid primary key,
  name text not null,
  secret_hash bytea not null unique,
  role text not null check (role in ('admin')),
  created_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz(3),
  revoked_at timestamptz(3)
);

create table rota.join_token (
  id text primary key,
  secret_hash bytea not null,
  worker text not null default '',
  labels jsonb not null default '{}',
  uses_left integer not null check (uses_left >= 0),
  created_by text not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz(3) not null
);

create table rota.worker_certificate (
  fingerprint text primary key,
  worker_id bigint not null references rota.worker,
  issued_at timestamptz(3) not null default clock_timestamp(),
  expires_at timestamptz(3) not null,
  revoked_at timestamptz(3)
);
-- serves: revoking all of one worker.
create index worker_certificate_worker on rota.worker_certificate (worker_id);
`

const outboxes = `
-- Jobs whose dependencies must be looked at: one of them has completed, or an execution waits for them. Written in the
-- transaction that settles or enqueues, taken by the dependency loop.
create table rota.dependency_check (
  id bigint generated always as identity primary key,
  job_id bigint not null
);

-- Answers to requests that carried a request_id, so that one sent again does nothing again.
create table rota.request (
  actor text not null,
  method text not null,
  request_id text not null,
  fingerprint bytea not null,
  resource text not null,
  created_at timestamptz(3) not null default clock_timestamp(),
  primary key (actor, method, request_id)
);
-- serves: forgetting them after a day.
create index request_created on rota.request (created_at);

-- Results that came after their epoch was replaced: evidence, nothing more.
create table rota.late_report (
  execution_id uuid not null,
  epoch bigint not null,
  worker text not null,
  outcome text not null,
  exit_code integer,
  message text not null,
  received_at timestamptz(3) not null default clock_timestamp(),
  primary key (execution_id, epoch)
);
-- serves: forgetting them.
create index late_report_received on rota.late_report (received_at);
`

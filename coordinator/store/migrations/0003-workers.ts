// breaking: no
import { type Kysely, sql } from 'kysely'

/** Health and control of workers: what operators want of them, how their hosts are, and what became of those deleted. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [worker, session, history, evidence]) await sql.raw(statement).execute(db)
}

const worker = `
alter table rota.worker
  -- Why it is in its state, who wanted it, since when.
  add column state_reason text not null default '',
  add column state_actor text not null default '',
  add column state_at timestamptz(3),
  -- Counts what its session must learn: state, labels, slots, failures that were forgiven.
  add column revision bigint not null default 1,
  -- Set by operators; win over what agent and join token say. A null takes the label away.
  add column operator_labels jsonb not null default '{}',
  -- At most so many of the slots that its agent offers.
  add column slot_limit integer check (slot_limit between 0 and 10000),
  add column drain_started_at timestamptz(3),
  -- What still runs then is given up; null: never.
  add column drain_deadline_at timestamptz(3),
  add column drain_initial integer not null default 0,
  -- Gone for everybody but the session that it still has; the row goes when that has ended.
  add column deleted_at timestamptz(3),
  add column refused_messages bigint not null default 0,
  add constraint worker_drain check ((state in ('draining', 'drained')) = (drain_started_at is not null));
`

const session = `
alter table rota.session
  add column cpu_ratio real not null default 0,
  add column memory_ratio real not null default 0,
  add column disk_ratio real not null default 0,
  add column event_loop_delay_ms real not null default 0;
`

const history = `
-- The names of workers that are gone: executions in history point at them.
create table rota.deleted_worker (
  id bigint primary key,
  uid uuid not null,
  name text not null,
  deleted_at timestamptz(3) not null
);

-- Every beginning of a session.
create table rota.worker_connection (
  worker_id bigint not null,
  connected_at timestamptz(3) not null default clock_timestamp(),
  primary key (worker_id, connected_at)
);
`

const evidence = `
-- serves: readFailureEvidence. Failures are few, so this costs those that succeed nothing.
create index attempt_failed on rota.attempt (worker, ended_at)
  where outcome in ('failed', 'timed_out', 'start_failed');
-- serves: readWorkerStats. Attempts are written in the order of their ends, more or less.
create index attempt_ended on rota.attempt using brin (ended_at) with (pages_per_range = 32);
`

// breaking: no
import { type Kysely, sql } from 'kysely'

/**
 * What happened, in the transaction in which it happened: the timeline of each execution and the live stream of changes.
 *
 * Partitioned by day like history, and kept as long. Ids are given before their transactions commit, so a reader that
 * went by them alone would miss some: it goes by transaction first, below all that still run.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(events).execute(db)
}

const events = `
create table rota.event (
  id bigint generated always as identity,
  transaction_id xid8 not null default pg_current_xact_id(),
  happened_at timestamptz(3) not null default clock_timestamp(),
  type text not null check (type in ('job', 'execution', 'worker')),
  change text not null,
  -- The state after the change.
  state text not null,
  -- Of the job, or the one that the execution belongs to.
  job_id bigint,
  execution_id uuid,
  -- By name, which outlives the worker.
  worker text not null default '',
  attempt integer,
  epoch bigint,
  reason_code text not null default '',
  message text not null default '',
  actor text not null default '',
  check ((type = 'execution') = (execution_id is not null)),
  check ((type = 'worker') = (job_id is null))
) partition by range (happened_at);
create table rota.event_default partition of rota.event default;
-- serves: readEventsAfter, readEventHead.
create index event_position on rota.event (transaction_id, id);
-- serves: readTimeline.
create index event_execution on rota.event (execution_id, id) where execution_id is not null;
`

// breaking: no (a column, a table, and due times of jobs that no release before could have)
import { type Kysely, sql } from 'kysely'

/** Executions that must be let in before they may start, and backfills. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [gates, backfills]) await sql.raw(statement).execute(db)
}

const gates = `
-- What lets it in: the uid of its job, or the id of its backfill. Null: nothing has to.
alter table rota.execution add column gate uuid;
-- serves: heldJobs, readHeld, readGivenUp. Only of jobs with a limit, and of backfills.
create index execution_held on rota.execution (job_id, gate, (coalesce(scheduled_for, created_at)), id)
  where state = 'waiting' and gate is not null and reason_code <> 'DEPENDENCY';
`

const backfills = `
create table rota.backfill (
  id uuid primary key,
  job_id bigint not null references rota.job,
  job_version integer not null,
  start_time timestamptz(3) not null,
  end_time timestamptz(3) not null check (end_time > start_time),
  -- Executions of it at once.
  max_parallel integer not null check (max_parallel >= 1),
  -- Due times left out: those that had succeeded, and those that were under way.
  succeeded_count integer not null,
  live_count integer not null,
  requested_by text not null,
  created_at timestamptz(3) not null default clock_timestamp()
);
-- serves: forgetting them.
create index backfill_created on rota.backfill (created_at);

-- One row for each due time that a backfill has made an execution for.
create table rota.backfill_run (
  backfill_id uuid not null references rota.backfill on delete cascade,
  scheduled_for timestamptz(3) not null,
  job_id bigint not null,
  execution_id uuid not null,
  primary key (backfill_id, scheduled_for)
);
-- serves: the ledger.
create index backfill_run_due on rota.backfill_run (job_id, scheduled_for);
`

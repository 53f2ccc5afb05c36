// breaking: no (adds columns with defaults, and a kind of row that releases before show as a message without content)
import { type Kysely, sql } from 'kysely'

/**
 * The frequent changes of executions become one row for all that a statement moves. Rows that are there stay as they are,
 * and releases before go on writing one for each.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [columns, checks]) await sql.raw(statement).execute(db)
}

const columns = `
alter table rota.event
  -- How many events the row is.
  add column event_count integer not null default 1,
  -- Of type 'executions': one entry each, in the same order. Null when none has a worker.
  add column execution_ids uuid[],
  add column job_ids bigint[],
  add column worker_ids bigint[],
  -- Of an attempt that is put back: nothing else keeps it.
  add column assigned_at timestamptz(3);
`

// Not validated: every row that is there satisfies them, and reading a week of events would stop the world meanwhile.
const checks = `
alter table rota.event
  drop constraint event_type_check,
  drop constraint event_check,
  drop constraint event_check1,
  add constraint event_type check (type in ('job', 'execution', 'worker', 'executions')) not valid,
  add constraint event_execution check ((type = 'execution') = (execution_id is not null)) not valid,
  add constraint event_job check ((type in ('job', 'execution')) = (job_id is not null)) not valid,
  add constraint event_batch check (
    (type = 'executions') = (execution_ids is not null)
    and event_count = coalesce(cardinality(execution_ids), 1) and event_count >= 1
    and cardinality(job_ids) is not distinct from cardinality(execution_ids)
    and coalesce(cardinality(worker_ids), event_count) = event_count) not valid;
`

// breaking: no (adds a table)
import { type Kysely, sql } from 'kysely'

/** Schedules that are over: their jobs are completed behind the decisions, not among them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(ends).execute(db)
}

const ends = `
-- Jobs whose schedule is over and that must be completed. Written in the transaction that decides the last due time, taken by the
-- completion loop.
create table rota.schedule_end (
  id bigint generated always as identity primary key,
  job_id bigint not null
);
`

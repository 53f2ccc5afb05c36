// breaking: no (adds a column with a default and a table)
import { type Kysely, sql } from 'kysely'

/** What agents did wrong, and until when they are refused for it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [counts, quarantine]) await sql.raw(statement).execute(db)
}

const counts = `
alter table rota.worker
  -- Of attempts that were this worker's once: every lost connection and every failover makes some.
  add column stale_messages bigint not null default 0;
`

const quarantine = `
-- Workers whose agents broke the rules too often; nobody authenticates them before.
create table rota.quarantine (
  worker_id bigint primary key references rota.worker on delete cascade,
  -- In a row.
  count integer not null check (count >= 1),
  until timestamptz(3) not null,
  evidence text not null
);
`

// breaking: no
import { type Kysely, sql } from 'kysely'

/** What the coordinators must know of the PostgreSQL that they are on, to notice that it was replaced. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(clusterState).execute(db)
  await sql.raw('insert into rota.cluster_state default values').execute(db)
  await sql.raw(worker).execute(db)
}

const clusterState = `
create table rota.cluster_state (
  -- One row.
  id boolean primary key default true check (id),
  -- Timeline of the primary that the coordinators were last on; null before the first one.
  timeline integer,
  -- Counts the failovers, and how long the last one is not yet dealt with: nothing is dispatched while this is set.
  recovery integer not null default 0,
  recovering_since timestamptz(3),
  -- Epochs up to here were given before the last failover.
  epoch_floor bigint not null default 0
) with (fillfactor = 50);
`

const worker = `
-- The failover after which the worker has last said what it still has.
alter table rota.worker add column recovery integer not null default 0;
`

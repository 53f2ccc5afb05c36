// breaking: no
import { type Kysely, sql } from 'kysely'

/** Several coordinators on one database: who they are, and the certificate authority that they share. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(cluster).execute(db)
}

const cluster = `
-- One row for each start of a coordinator; it lives while the row is renewed.
create table rota.coordinator (
  id uuid primary key,
  -- Where agents and clients reach it, host:port.
  address text not null check (length(address) between 1 and 300),
  version text not null,
  -- Of the agent protocol.
  protocol_versions integer[] not null,
  session_count integer not null default 0 check (session_count >= 0),
  is_draining boolean not null default false,
  started_at timestamptz(3) not null default clock_timestamp(),
  renewed_at timestamptz(3) not null default clock_timestamp()
) with (fillfactor = 50);

-- At most one row. The private key is sealed with the cluster key, which is not in the database.
create table rota.authority (
  is_only boolean primary key default true check (is_only),
  certificate_pem text not null,
  sealed_key bytea not null,
  created_at timestamptz(3) not null default clock_timestamp()
);
`

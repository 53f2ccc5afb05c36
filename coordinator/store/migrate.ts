/**
 * Brings the schema `rota` up to this release.
 *
 * M1. All pending migrations are one transaction under one advisory lock: a schema is never half of a release, and of
 *     several coordinators that start at once one migrates and the others wait. Transaction locks also work through a
 *     pooler (kysely's Migrator takes one of the session).
 * M2. Migrations of a later release are left alone when they only add (the default); one that says why it is `breaking`
 *     keeps this release from starting.
 */
import { type Kysely, sql, type Transaction } from 'kysely'
import { RotaError } from '../../shared/errors/rota-error.ts'
import * as foundation from './migrations/0001-foundation.ts'
import * as cluster from './migrations/0002-cluster.ts'
import * as workers from './migrations/0003-workers.ts'
import * as events from './migrations/0004-events.ts'
import * as recovery from './migrations/0005-recovery.ts'
import * as bounds from './migrations/0006-bounds.ts'
import * as eventBatches from './migrations/0007-event-batches.ts'
import * as helloOrder from './migrations/0008-hello-order.ts'
import * as calendars from './migrations/0009-calendars.ts'
import * as overlap from './migrations/0010-overlap.ts'
import * as jobEvents from './migrations/0011-job-events.ts'
import * as scheduleEnds from './migrations/0012-schedule-ends.ts'
import { type AppliedMigration, planMigrations } from './plan-migrations.ts'
import type { Tables } from './tables.ts'

export interface ReleasedMigration {
  up(db: Kysely<unknown>): Promise<void>
  /** Why releases that do not know it cannot work with it. Left out when they can: it only adds. */
  readonly breaking?: string
}

export type Migrations = Readonly<Record<string, ReleasedMigration>>

/** In order; a name never changes once released. Forward only. */
const MIGRATIONS: Migrations = {
  '0001-foundation': foundation,
  '0002-cluster': cluster,
  '0003-workers': workers,
  '0004-events': events,
  '0005-recovery': recovery,
  '0006-bounds': bounds,
  '0007-event-batches': eventBatches,
  '0008-hello-order': helloOrder,
  '0009-calendars': calendars,
  '0010-overlap': overlap,
  '0011-job-events': jobEvents,
  '0012-schedule-ends': scheduleEnds,
}

/** Any number of our own; no other program takes it in our database. */
const LOCK_ID = 7_420_742_074

export interface MigrationOutcome {
  readonly applied: readonly string[]
  /** Of a later release, and harmless to this one. */
  readonly later: readonly string[]
}

/** Several coordinators may call it at once. Throws SCHEMA_TOO_NEW when a later release has changed what this one needs. */
export async function migrateToLatest(
  db: Kysely<Tables>,
  migrations: Migrations = MIGRATIONS,
): Promise<MigrationOutcome> {
  return db.transaction().execute(async (tx) => {
    // As long as the others take; the lock timeout of the pool is for rows.
    await sql`set local lock_timeout = 0`.execute(tx)
    await sql`select pg_advisory_xact_lock(${LOCK_ID})`.execute(tx)
    await prepare(tx)
    const plan = planMigrations(Object.keys(migrations), await readApplied(tx))
    if (plan.kind === 'too_new') throw tooNew(plan)
    for (const name of plan.pending) await apply(tx, name, migrations[name])
    return { applied: plan.pending, later: plan.later }
  })
}

/** The table of kysely's Migrator, which the first release used, and what it lacked. Takes no lock when all is there. */
async function prepare(tx: Transaction<Tables>): Promise<void> {
  const { rows } = await sql<{ has_schema: boolean; has_table: boolean; has_breaking: boolean }>`
    select to_regnamespace('rota') is not null as has_schema, to_regclass('rota.migration') is not null as has_table,
      exists (select from pg_attribute
        where attrelid = to_regclass('rota.migration') and attname = 'breaking') as has_breaking`.execute(
    tx,
  )
  const [has] = rows
  if (has?.has_schema !== true) await sql`create schema rota`.execute(tx)
  if (has?.has_table !== true) {
    await sql`create table rota.migration (
      name varchar(255) primary key, timestamp varchar(255) not null)`.execute(tx)
  }
  if (has?.has_breaking !== true) {
    await sql`alter table rota.migration add column breaking text`.execute(tx)
  }
}

async function readApplied(tx: Transaction<Tables>): Promise<AppliedMigration[]> {
  const { rows } =
    await sql<AppliedMigration>`select name, breaking from rota.migration order by name`.execute(tx)
  return rows
}

async function apply(
  tx: Transaction<Tables>,
  name: string,
  migration: ReleasedMigration | undefined,
): Promise<void> {
  if (migration === undefined) throw new Error(`no migration ${name}`)
  await migration.up(tx as unknown as Kysely<unknown>)
  await sql`insert into rota.migration (name, timestamp, breaking)
    values (${name}, clock_timestamp()::text, ${migration.breaking ?? null})`.execute(tx)
}

function tooNew({ name, breaking }: { name: string; breaking: string }): RotaError {
  return new RotaError(
    'SCHEMA_TOO_NEW',
    `the database was changed by a later release (${name}: ${breaking})`,
  )
}

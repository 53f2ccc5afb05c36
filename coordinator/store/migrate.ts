import type { Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import * as foundation from './migrations/0001-foundation.ts'
import type { Tables } from './tables.ts'

/** In order; a name never changes once released. Forward only. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-foundation': foundation,
}

/** Brings the schema `rota` up to this release and names what was applied. Several coordinators may call it at once. */
export async function migrateToLatest(db: Kysely<Tables>): Promise<string[]> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...MIGRATIONS }) },
    migrationTableSchema: 'rota',
    migrationTableName: 'migration',
    migrationLockTableName: 'migration_lock',
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error !== undefined) throw new Error('the database cannot be migrated', { cause: error })
  return (results ?? []).map(({ migrationName }) => migrationName)
}

import { sql } from 'kysely'
import type { Db } from '../store/database.ts'

/** Tables partitioned by day, and by which column. */
const PARTITION_KEYS = {
  execution_history: 'settled_at',
  attempt: 'ended_at',
  log_chunk: 'run_at',
  occurrence: 'scheduled_for',
  event: 'happened_at',
} as const

export type PartitionedTable = keyof typeof PARTITION_KEYS

export const PARTITIONED = Object.keys(PARTITION_KEYS) as PartitionedTable[]

/** Names of the partitions of a table, but for the default one. */
export async function readPartitions(db: Db, table: PartitionedTable): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = ${`rota.${table}`}::regclass and c.relname <> ${`${table}_default`}`.execute(
    db,
  )
  return rows.map(({ name }) => name)
}

/** Makes the partition of one day (UTC). Only one coordinator at a time: the lock ends with the transaction. */
export async function createPartition(
  db: Db,
  partition: {
    readonly table: PartitionedTable
    readonly name: string
    readonly from: string
    readonly to: string
  },
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('rota.partition'))`.execute(db)
  await sql`create table if not exists ${sql.id('rota', partition.name)}
    partition of ${sql.id('rota', partition.table)}
    for values from (${sql.lit(partition.from)}) to (${sql.lit(partition.to)})`.execute(db)
}

export async function dropPartition(db: Db, name: string): Promise<void> {
  await sql`drop table if exists ${sql.id('rota', name)}`.execute(db)
}

/** Deletes what is too old and lies in no day of its own, e.g. due times of before the first start. */
export async function deleteFromDefault(
  db: Db,
  table: PartitionedTable,
  keepMs: number,
): Promise<void> {
  await sql`delete from ${sql.id('rota', `${table}_default`)}
    where ${sql.id(PARTITION_KEYS[table])} < clock_timestamp() - ${keepMs} * interval '1 millisecond'`.execute(
    db,
  )
}

/**
 * Forgets what is kept for a while only: request ids (24 h), late reports, used up join tokens, when agents connected, and
 * the names of deleted workers when no history can name them any more.
 */
export async function deleteForgettable(db: Db, keepMs: number): Promise<void> {
  await sql`delete from rota.request where created_at < clock_timestamp() - interval '24 hours'`.execute(
    db,
  )
  await sql`delete from rota.join_token where expires_at < clock_timestamp() - interval '24 hours'`.execute(
    db,
  )
  // What waits at its gate goes by its row.
  await sql`delete from rota.backfill b
    where b.created_at < clock_timestamp() - ${keepMs} * interval '1 millisecond'
      and not exists (select from rota.execution e where e.job_id = b.job_id and e.gate = b.id)`.execute(
    db,
  )
  for (const [table, column] of [
    ['late_report', 'received_at'],
    ['worker_connection', 'connected_at'],
    ['deleted_worker', 'deleted_at'],
  ] as const) {
    await sql`delete from ${sql.id('rota', table)}
      where ${sql.id(column)} < clock_timestamp() - ${keepMs} * interval '1 millisecond'`.execute(
      db,
    )
  }
}

import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'
import { WORKER_LABELS, WORKER_SLOTS } from '../store/worker-columns.ts'
import { keysetAfter, orderTerms, type Page } from './keyset-queries.ts'

export interface WorkerRow {
  readonly id: WorkerId
  readonly uid: string
  readonly name: string
  readonly display_name: string
  readonly state: WorkerState
  readonly capabilities: string[]
  readonly handlers: string[]
  readonly labels: Record<string, string>
  readonly slots: number
  readonly used_slots: number
  readonly hostname: string
  readonly platform: string
  readonly agent_version: string
  readonly consecutive_failures: number
  readonly connected_at: Date | null
  readonly last_heartbeat_at: Date | null
  /** Since the lease was renewed, in ms; null without a session. */
  readonly silent_ms: number | null
  readonly clock_skew_ms: number | null
  readonly load_ratio: number | null
  readonly cpu_ratio: number | null
  readonly memory_ratio: number | null
  readonly disk_ratio: number | null
  readonly event_loop_delay_ms: number | null
  readonly state_reason: string
  readonly state_actor: string
  readonly state_at: Date | null
  readonly drain_started_at: Date | null
  readonly drain_deadline_at: Date | null
  readonly drain_initial: number
  /** Executions that it has in hand. */
  readonly in_flight: number
  readonly refused_messages: number
}

export const WORKER_COLUMNS = {
  name: sql<string>`w.name`,
  state: sql<string>`w.state`,
  hostname: sql<string>`w.hostname`,
  platform: sql<string>`w.platform`,
  agent_version: sql<string>`w.agent_version`,
  slot_count: WORKER_SLOTS,
  consecutive_failures: sql<number>`w.consecutive_failures`,
  connect_time: sql<Date>`coalesce(w.connected_at, '-infinity')`,
  capabilities: sql`w.capabilities`,
  handlers: sql`w.handlers`,
  labels: WORKER_LABELS,
} as const

function workers(db: Db) {
  return db
    .selectFrom('rota.worker as w')
    .leftJoin('rota.session as s', 's.worker_id', 'w.id')
    .innerJoinLateral(
      sql<{ used_slots: number; in_flight: number }>`(
        select coalesce(sum(c.slots), 0)::int as used_slots, count(*)::int as in_flight
        from rota.execution e join rota.placement_class c on c.id = e.class_id where e.session_id = s.id)`.as(
        'u',
      ),
      (join) => join.onTrue(),
    )
    .where('w.deleted_at', 'is', null)
    .select([
      'w.id',
      'w.uid',
      'w.name',
      'w.display_name',
      'w.state',
      'w.capabilities',
      'w.handlers',
      WORKER_LABELS.as('labels'),
      WORKER_SLOTS.as('slots'),
      'u.used_slots',
      'u.in_flight',
      'w.hostname',
      'w.platform',
      'w.agent_version',
      'w.consecutive_failures',
      'w.connected_at',
      sql<Date | null>`coalesce(s.renewed_at, w.last_heartbeat_at)`.as('last_heartbeat_at'),
      sql<number | null>`extract(epoch from clock_timestamp() - s.renewed_at)::float8 * 1000`.as(
        'silent_ms',
      ),
      's.clock_skew_ms',
      's.load_ratio',
      's.cpu_ratio',
      's.memory_ratio',
      's.disk_ratio',
      's.event_loop_delay_ms',
      'w.state_reason',
      'w.state_actor',
      'w.state_at',
      'w.drain_started_at',
      'w.drain_deadline_at',
      'w.drain_initial',
      'w.refused_messages',
    ])
}

export async function readWorker(db: Db, name: string): Promise<WorkerRow | undefined> {
  return workers(db).where('w.name', '=', name).executeTakeFirst()
}

/** The workers of these names, as far as they are there. */
export async function readWorkers(db: Db, names: readonly string[]): Promise<WorkerRow[]> {
  if (names.length === 0) return []
  return workers(db).where(sql<boolean>`w.name = any (${names}::text[])`).execute()
}

export async function listWorkers(
  db: Db,
  listing: Page<typeof WORKER_COLUMNS>,
): Promise<{ rows: WorkerRow[]; total: number }> {
  const matching = workers(db).where(listing.condition)
  const rows = await matching
    .where(keysetAfter(listing))
    .orderBy(orderTerms(listing))
    .limit(listing.limit)
    .execute()
  const { total } = await db
    .selectFrom('rota.worker as w')
    .select(sql<number>`count(*)`.as('total'))
    .where('w.deleted_at', 'is', null)
    .where(listing.condition)
    .executeTakeFirstOrThrow()
  return { rows, total }
}

export interface FleetNames {
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  readonly workers: ReadonlySet<string>
}

/** Everything that any worker has ever said it can do, and the names of all workers. */
export async function readFleetNames(db: Db): Promise<FleetNames> {
  const rows = await db
    .selectFrom('rota.worker')
    .select(['name', 'capabilities', 'handlers'])
    .where('deleted_at', 'is', null)
    .execute()
  return {
    capabilities: new Set(rows.flatMap(({ capabilities }) => capabilities)),
    handlers: new Set(rows.flatMap(({ handlers }) => handlers)),
    workers: new Set(rows.map(({ name }) => name)),
  }
}

/** Every worker there is; a fleet is thousands at most. */
export async function readFleet(db: Db): Promise<WorkerRow[]> {
  return workers(db).execute()
}

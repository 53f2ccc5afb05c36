import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { LabelOverlay } from './label-change.ts'

export interface WorkerSettings {
  readonly id: WorkerId
  readonly display_name: string
  /** Null: all that the agent offers. */
  readonly slot_limit: number | null
  readonly operator_labels: LabelOverlay
  /** By agent and join token. */
  readonly given_labels: Readonly<Record<string, string>>
  readonly offered_slots: number
}

/** What operators have set of the worker of this name, locked. */
export async function lockWorkerSettings(
  db: Db,
  name: string,
): Promise<WorkerSettings | undefined> {
  const { rows } = await sql<WorkerSettings>`/* lockWorkerSettings */
    select id, display_name, slot_limit, operator_labels, agent_labels || granted_labels as given_labels,
      slots as offered_slots
    from rota.worker where name = ${name} and deleted_at is null for no key update`.execute(db)
  return rows[0]
}

export async function setWorkerSettings(
  db: Db,
  settings: Pick<WorkerSettings, 'id' | 'display_name' | 'slot_limit' | 'operator_labels'>,
): Promise<void> {
  await sql`/* setWorkerSettings */
    update rota.worker
    set display_name = ${settings.display_name}, slot_limit = ${settings.slot_limit},
      operator_labels = ${JSON.stringify(settings.operator_labels)}::jsonb, revision = revision + 1
    where id = ${settings.id}`.execute(db)
}

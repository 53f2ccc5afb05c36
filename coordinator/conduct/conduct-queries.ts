import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { WorkerState } from '../store/tables.ts'

export interface Refusals {
  readonly workerId: WorkerId
  readonly refused: number
  readonly stale: number
}

/** Adds to what was refused of agents, all workers in one statement. */
export async function addRefusals(db: Db, refusals: readonly Refusals[]): Promise<void> {
  const column = <K extends keyof Refusals>(key: K) => refusals.map((row) => row[key])
  await sql`/* addRefusals */
    update rota.worker w
    set refused_messages = w.refused_messages + r.refused, stale_messages = w.stale_messages + r.stale
    from unnest(${column('workerId')}::bigint[], ${column('refused')}::bigint[], ${column('stale')}::bigint[])
      as r (id, refused, stale)
    where w.id = r.id`.execute(db)
}

export interface Sentence {
  readonly evidence: string
  /** Of the first quarantine in a row, of the second, and so on; the last one is that of all further ones. */
  readonly lengthsMs: readonly number[]
  readonly forgivenAfterMs: number
}

export interface Quarantined {
  readonly name: string
  readonly state: WorkerState
  /** How many in a row this makes. */
  readonly count: number
}

/** Refuses a worker from now on for a while; undefined when there is no such worker any more. */
export async function quarantineWorker(
  db: Db,
  workerId: WorkerId,
  { evidence, forgivenAfterMs, lengthsMs }: Sentence,
): Promise<Quarantined | undefined> {
  const next = sql`case when q.until < clock_timestamp() - ${forgivenAfterMs}::float8 * interval '1 millisecond'
      then 1 else q.count + 1 end`
  const { rows } = await sql<Quarantined>`/* quarantineWorker */
    with sentenced as (
      insert into rota.quarantine as q (worker_id, count, until, evidence)
      select id, 1, clock_timestamp() + ${lengthsMs[0]}::float8 * interval '1 millisecond', ${evidence}
      from rota.worker where id = ${workerId}
      on conflict (worker_id) do update
      set count = ${next}, evidence = excluded.evidence,
        until = clock_timestamp()
          + (${lengthsMs}::float8[])[least(${next}, ${lengthsMs.length}::int)] * interval '1 millisecond'
      returning worker_id, count)
    select w.name, w.state, s.count from sentenced s join rota.worker w on w.id = s.worker_id`.execute(
    db,
  )
  return rows[0]
}

/** An operator has looked: the worker may come, and its next quarantine is the first in a row again. */
export async function liftQuarantine(db: Db, workerId: WorkerId): Promise<void> {
  await sql`/* liftQuarantine */ delete from rota.quarantine where worker_id = ${workerId}`.execute(
    db,
  )
}

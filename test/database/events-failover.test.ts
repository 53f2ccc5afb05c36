/** A token is good on the server that took over exactly when the event that it names got there. */
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, expect, test } from 'vitest'
import type { Position } from '../../coordinator/events/position.ts'
import { readEventHead, readEventsAfter } from '../../coordinator/events/read-event-queries.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { migrateToLatest } from '../../coordinator/store/migrate.ts'
import type { PostgresServer } from '../support/postgres-server.ts'
import { startReplicatedPostgres } from '../support/replicated-postgres.ts'
import { until } from '../support/until.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function open({ connection }: PostgresServer): Database {
  const db = openDatabase({
    connection: { ...connection, database: 'rota' },
    logger: pino({ level: 'silent' }),
    poolSize: 2,
  })
  cleanups.push(() => db.destroy())
  return db
}

/** Writes an event, and answers the position behind it. */
async function tell(db: Database, worker: string): Promise<Position> {
  const { rows } = await sql<{ id: number }>`insert into rota.event (type, change, state, worker)
    values ('worker', 'updated', 'active', ${worker}) returning id`.execute(db)
  return until('it can be read', async () => {
    const head = await readEventHead(db)
    return head.id === rows[0]?.id ? head : undefined
  })
}

test('after a failover with a lost tail, tokens of the tail are told of a gap, older ones go on', async () => {
  const pair = await startReplicatedPostgres({ isSynchronous: false })
  cleanups.push(pair.remove)
  const before = open(pair.primary)
  await migrateToLatest(before)
  const kept = await tell(before, 'kept')
  await pair.caughtUp()
  await pair.stallReplication()
  const lost = await tell(before, 'lost')
  await pair.primary.kill()
  await pair.standby.promote()

  const after = open(pair.standby)
  expect((await readEventsAfter(after, lost, 10)).isKnown).toBe(false)
  // Others use up the numbers that the lost ones had: their token means nothing still.
  for (let n = 0; n < 5; n++) await tell(after, `new-${n}`)
  expect((await readEventsAfter(after, lost, 10)).isKnown).toBe(false)
  const { isKnown, events } = await readEventsAfter(after, kept, 10)
  expect(isKnown).toBe(true)
  expect(events.map(({ worker }) => worker)).toEqual(['new-0', 'new-1', 'new-2', 'new-3', 'new-4'])
})

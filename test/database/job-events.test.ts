import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobId } from '../../coordinator/job/execution.ts'
import { readSwitchesAround } from '../../coordinator/outlook/occurrence-facts-queries.ts'
import { keepPartitions } from '../../coordinator/retention/retention-loop.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger: pino({ level: 'silent' }) })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

test('events of a job are found by its own index, in each day and in days that are made later', async () => {
  const logger = pino({ level: 'silent' })
  const clock = createFakeClock()
  await keepPartitions(
    { db, logger, clock, random, hints: createHints(), specs: createJobSpecs() },
    86_400_000,
  )
  const { rows: days } = await sql<{
    missing: string
  }>`select c.relname as missing from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'rota.event'::regclass and not exists (select from pg_index x
      where x.indrelid = c.oid and pg_get_indexdef(x.indexrelid) like '%(job_id, happened_at)%')`.execute(
    db,
  )
  expect(days).toEqual([])
})

test('the switches around a time are the last before it and the first after it', async () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 20, 10, minute))
  for (const [change, minute, job] of [
    ['paused', 1, 1],
    ['resumed', 2, 1],
    ['updated', 3, 1],
    ['paused', 4, 2],
    ['paused', 6, 1],
    ['resumed', 7, 1],
  ] as const) {
    await sql`insert into rota.event (type, change, state, job_id, happened_at)
      values ('job', ${change}, 'active', ${job}, ${at(minute)})`.execute(db)
  }
  const around = async (minute: number) =>
    (await readSwitchesAround(db, 1 as JobId, at(minute))).map(
      ({ change, happened_at: time }) => `${change} ${time.getUTCMinutes()}`,
    )
  expect(await around(5)).toEqual(['resumed 2', 'paused 6'])
  expect(await around(0)).toEqual(['paused 1'])
  expect(await around(9)).toEqual(['resumed 7'])
})

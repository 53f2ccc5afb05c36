import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Deps } from '../../coordinator/deps.ts'
import { createEnqueue } from '../../coordinator/enqueue/enqueue.ts'
import { createStoreNew } from '../../coordinator/enqueue/store-new.ts'
import { createScheduleLoop } from '../../coordinator/schedule/schedule-loop.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let db: Database
let deps: Deps
let loop: ReturnType<typeof createScheduleLoop>

beforeAll(async () => {
  database = await createTestDatabase()
  const logger = pino({ level: 'silent' })
  db = openDatabase({ connection: database.connection, logger })
  deps = { db, clock, random, logger, hints: createHints(), specs: createJobSpecs() }
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  await sql`truncate rota.job cascade`.execute(db)
  await sql`truncate rota.execution, rota.occurrence`.execute(db)
  deps.specs.forget()
  const storeNew = createStoreNew(deps, {
    enqueue: createEnqueue(deps),
    assign: { begin: () => ({ pair: () => new Map(), conclude: async () => {} }) },
  })
  loop = createScheduleLoop(deps, { storeNew, freeSlots: () => 0 })
})

afterEach(async () => loop.stop())

const everyMinute = JobSpec.toJSON(
  JobSpec.fromJSON({ ...shell('true'), ...schedule({ every: seconds('60s') }) }),
) as Record<string, unknown>

/** Jobs that have been due for a moment, in the order of their names; `spec` is written as it is. */
async function put(name: string, spec: unknown): Promise<void> {
  await sql`with made as (
      insert into rota.job (uid, name, state, version, created_at)
      values (gen_random_uuid(), ${name}, 'active', 1, clock_timestamp() - interval '61 seconds') returning id
    ), activity as (insert into rota.job_activity (job_id) select id from made), versions as (
      insert into rota.job_version (job_id, version, spec, created_by)
      select id, 1, ${JSON.stringify(spec)}::jsonb, '' from made
    )
    insert into rota.schedule (job_id, job_version, marked_at, due_at)
    select id, 1, clock_timestamp() - interval '30 seconds', clock_timestamp() - interval '1 second' from made`.execute(
    db,
  )
}

async function decidedJobs(): Promise<string[]> {
  const { rows } = await sql<{
    name: string
  }>`select j.name from rota.occurrence o join rota.job j on j.id = o.job_id
    join rota.execution e on e.id = o.execution_id order by j.name`.execute(db)
  return rows.map(({ name }) => name)
}

const GOOD = ['a-good', 'm-good', 'z-good']

/** The good ones on both sides of a bad one are decided, though it was due first. */
async function expectOthersDecided(): Promise<void> {
  for (const name of GOOD) await put(name, everyMinute)
  await loop.start()
  await until('all others are decided', async () => {
    return JSON.stringify(await decidedJobs()) === JSON.stringify(GOOD)
  })
}

describe('a row that was made bad', () => {
  test.each([
    ['an interval that is no number', { schedule: { recurrences: [{ every: { seconds: 'x' } }] } }],
    [
      'a time of a recurrence that is none',
      { schedule: { recurrences: [{ every: 5 }], notBefore: {} } },
    ],
    ['a priority out of range, which enqueueing refuses', { ...everyMinute, priority: 1_000 }],
    ['recurrences that are no list', { schedule: { recurrences: 'daily' } }],
    ['text instead of a spec', 'nothing'],
    ['null instead of a spec', null],
    ['a list instead of a spec', []],
    [
      'a zone that there is not',
      { ...everyMinute, schedule: { recurrences: [{ cron: '@daily' }], timeZone: 'Mars' } },
    ],
    ['a pattern that is none', { schedule: { recurrences: [{ cron: 'at teatime' }] } }],
  ])('by %s never stops the others', async (_, spec) => {
    await put('bad', spec)
    await expectOthersDecided()
    const { rows } = await sql<{ left: number }>`select count(*)::int as left from rota.schedule
      where due_at <= clock_timestamp()`.execute(db)
    expect(rows[0]?.left).toBe(0)
  })

  test('by a version that is not there is put off, and its mark stays', async () => {
    await put('bad', everyMinute)
    await sql`update rota.schedule set job_version = 99`.execute(db)
    await expectOthersDecided()
    const { rows } = await sql<{ in_s: number; mark_s: number }>`
      select extract(epoch from s.due_at - clock_timestamp())::float8 as in_s,
        extract(epoch from clock_timestamp() - s.marked_at)::float8 as mark_s
      from rota.schedule s join rota.job j on j.id = s.job_id where j.name = 'bad'`.execute(db)
    expect(rows[0]?.in_s).toBeGreaterThan(40)
    expect(rows[0]?.mark_s).toBeGreaterThan(29)
  })

  test('is decided when it was mended', async () => {
    await put('bad', { schedule: { recurrences: [{ every: { seconds: 'x' } }] } })
    await expectOthersDecided()
    await sql`update rota.job_version set spec = ${JSON.stringify(everyMinute)}::jsonb`.execute(db)
    await sql`update rota.schedule s set due_at = clock_timestamp() from rota.job j
      where j.id = s.job_id and j.name = 'bad'`.execute(db)
    loop.wake()
    await until('it is decided', async () => (await decidedJobs()).includes('bad'))
  })
})

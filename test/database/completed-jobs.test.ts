import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobId } from '../../coordinator/job/execution.ts'
import { createCompleteLoop } from '../../coordinator/schedule/complete-loop.ts'
import { endSchedules } from '../../coordinator/schedule/schedule-queries.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { PINNED } from '../../coordinator/store/primary.ts'
import type { JobState } from '../../coordinator/store/tables.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  const settings = Object.entries(PINNED).map(([name, to]) => `-c ${name}=${to}`)
  const connection = { ...database.connection, options: settings.join(' ') }
  db = openDatabase({ connection, logger: pino({ level: 'silent' }) })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

const ONE_SHOT = { schedule: { recurrences: [{ at: '2026-11-30T08:00:00Z' }] } }

/** A job with a schedule that is over as far as its row says; answers its id. */
async function put(name: string, state: JobState, spec: object = ONE_SHOT): Promise<JobId> {
  const { rows } = await sql<{ id: JobId }>`with made as (
      insert into rota.job (uid, name, state, version) values (gen_random_uuid(), ${name}, ${state}, 1) returning id
    ), versions as (
      insert into rota.job_version (job_id, version, spec, created_by)
      select id, 1, ${JSON.stringify(spec)}::jsonb, '' from made
    ), schedules as (
      insert into rota.schedule (job_id, job_version, marked_at, due_at)
      select id, 1, clock_timestamp() - interval '2 seconds', clock_timestamp() - interval '1 second' from made
    ) select id from made`.execute(db)
  if (rows[0] === undefined) throw new Error(`${name} was not made`)
  return rows[0].id
}

test('a job is completed behind its last due time, unless it has changed meanwhile', async () => {
  const ids = [
    await put('over', 'active'),
    await put('paused-since', 'paused'),
    await put('never-had-one', 'active', {}),
    await put('has-another', 'active'),
  ]
  await endSchedules(db, ids)
  await sql`insert into rota.schedule (job_id, job_version, marked_at, due_at)
    select id, 2, now(), now() + interval '1 hour' from rota.job where name = 'has-another'`.execute(
    db,
  )
  const hints = createHints()
  const logger = pino({ level: 'silent' })
  const loop = createCompleteLoop({ db, clock, random, logger, hints, specs: createJobSpecs() })
  await loop.start()
  await until('all have been looked at', async () => {
    const { rows } = await sql`select from rota.schedule_end`.execute(db)
    return rows.length === 0
  })
  await loop.stop()
  const { rows } = await sql`select name, state, revision from rota.job order by name`.execute(db)
  expect(rows).toEqual([
    { name: 'has-another', state: 'active', revision: 1 },
    { name: 'never-had-one', state: 'active', revision: 1 },
    { name: 'over', state: 'completed', revision: 2 },
    { name: 'paused-since', state: 'paused', revision: 1 },
  ])
  const events = await sql`select change, state, job_id from rota.event`.execute(db)
  expect(events.rows).toEqual([{ change: 'completed', state: 'completed', job_id: ids[0] }])
})

import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { insertCalendar, updateCalendarRow } from '../../coordinator/calendar/calendar-queries.ts'
import { createKnownCalendars } from '../../coordinator/calendar/known-calendars.ts'
import {
  advanceThaw,
  endFreezeNow,
  holdFreezes,
  insertFreeze,
  lockEndedFreeze,
  lockFreeze,
  readFreeze,
  readThawed,
  recordThawed,
  wakeThawed,
} from '../../coordinator/freeze/freeze-queries.ts'
import type { ExecutionId, JobId } from '../../coordinator/job/execution.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { readDay } from '../../shared/schedule/civil.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

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

beforeEach(async () => {
  for (const table of ['occurrence', 'schedule', 'freeze', 'job']) {
    await sql`delete from ${sql.id('rota', table)}`.execute(db)
  }
})

async function insert(name: string, endsInMs: number): Promise<number> {
  await insertFreeze(db, {
    ...{ name, reason: '', owner: 'token:ada', jobPrefix: '', selector: '' },
    ...{ startsAt: undefined, after: 'run_once', includeManual: false },
    endsAt: new Date(Date.now() + endsInMs),
  })
  return (await readFreeze(db, name))!.id
}

async function insertJob(name: string, state = 'active'): Promise<JobId> {
  const { rows } = await sql<{ id: JobId }>`insert into rota.job (uid, name, state, version)
    values (gen_random_uuid(), ${name}, ${state}, 1) returning id`.execute(db)
  return rows[0]!.id
}

async function insertSkipped(jobId: JobId, freezeId: number, minutes: readonly number[]) {
  for (const minute of minutes) {
    await sql`insert into rota.occurrence (job_id, scheduled_for, decision, reason, freeze_id)
      values (${jobId}, ${new Date(minute * 60_000)}, 'skipped_freeze', 'freeze x', ${freezeId})`.execute(
      db,
    )
  }
}

const isOver = (id: number) =>
  sql`update rota.freeze set starts_at = now() - interval '2 s', ends_at = now() - interval '1 s' where id = ${id}`.execute(
    db,
  )

test('the end of a freeze does not wait for whoever waits for it with a schedule in hand', async () => {
  const id = await insert('ring', 60_000)
  const jobId = await insertJob('ring.job')
  await sql`insert into rota.schedule (job_id, job_version, due_at, marked_at)
    values (${jobId}, 1, now() + interval '1 s', now())`.execute(db)
  const range = { from: new Date(0), until: new Date(Date.now() + 3_600_000) }
  const isEnding = Promise.withResolvers<void>()
  const isWaiting = Promise.withResolvers<void>()
  const ending = db.transaction().execute(async (tx) => {
    await lockFreeze(tx, 'ring')
    isEnding.resolve()
    await isWaiting.promise
    await endFreezeNow(tx, id)
    await wakeThawed(tx, { jobPrefix: '', ...range })
  })
  const deciding = db.transaction().execute(async (tx) => {
    await sql`select from rota.schedule where job_id = ${jobId} for update`.execute(tx)
    await isEnding.promise
    const held = holdFreezes(tx, new Date())
    await until('the decision waits for the freeze', async () => {
      const { rows } = await sql`select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
      return rows.length === 1
    })
    isWaiting.resolve()
    return held
  })
  await ending
  const [seen] = await deciding
  expect(seen!.ends_at.getTime()).toBeLessThan(Date.now() + 1_000)
})

test('the end of a freeze lies behind everything that was decided by it', async () => {
  const id = await insert('held', 60_000)
  const deciding = Promise.withResolvers<void>()
  let now = new Date(0)
  const decision = db.transaction().execute(async (tx) => {
    expect((await holdFreezes(tx, new Date(0))).map(({ name }) => name)).toEqual(['held'])
    await deciding.promise
    const { rows } = await sql<{
      now: Date
    }>`select clock_timestamp()::timestamptz(3) as now`.execute(tx)
    now = rows[0]!.now
  })
  let hasEnded = false
  const end = db
    .transaction()
    .execute(async (tx) => {
      await lockFreeze(tx, 'held')
      await endFreezeNow(tx, id)
    })
    .then(() => {
      hasEnded = true
    })
  await until('the end waits', async () => {
    const { rows } = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%rota.freeze%'`.execute(
      db,
    )
    return rows.length > 0
  })
  expect(hasEnded).toBe(false)
  deciding.resolve()
  await Promise.all([decision, end])
  expect((await readFreeze(db, 'held'))!.ends_at.getTime()).toBeGreaterThanOrEqual(now.getTime())
})

test('two that decide by a freeze do not wait for each other', async () => {
  await insert('shared', 60_000)
  await db.transaction().execute(async (tx) => {
    await holdFreezes(tx, new Date(0))
    await db.transaction().execute(async (other) => {
      expect(await holdFreezes(other, new Date(0))).toHaveLength(1)
    })
  })
})

describe('a freeze that is over', () => {
  test('is not thawed while something within it is undecided, nor by two at once', async () => {
    const id = await insert('over', 60_000)
    expect(await lockEndedFreeze(db)).toBeUndefined()
    await isOver(id)
    const jobId = await insertJob('late')
    await sql`insert into rota.schedule (job_id, job_version, marked_at, due_at)
      values (${jobId}, 1, now() - interval '9 s', now() - interval '2 s')`.execute(db)
    expect(await lockEndedFreeze(db)).toBeUndefined()
    await sql`update rota.schedule set due_at = now()`.execute(db)
    await db.transaction().execute(async (tx) => {
      expect(await lockEndedFreeze(tx)).toMatchObject({ name: 'over', after: 'run_once' })
      expect(await lockEndedFreeze(db)).toBeUndefined()
      await advanceThaw(tx, id, { upTo: undefined, executions: 0 })
    })
    expect(await lockEndedFreeze(db)).toBeUndefined()
    expect((await readFreeze(db, 'over'))?.state).toBe('ended')
  })

  test('is thawed job by job, the newest due times of each', async () => {
    const id = await insert('batched', 60_000)
    await isOver(id)
    const [a, b] = [await insertJob('a'), await insertJob('b')]
    const paused = await insertJob('c', 'paused')
    await insertSkipped(a, id, [1, 2, 3])
    await insertSkipped(b, id, [4])
    await insertSkipped(paused, id, [5])
    await insertSkipped(b, id + 1, [6])
    const next = async (jobs: number) => {
      const freeze = await lockEndedFreeze(db)
      const { dueTimes, upTo } = await readThawed(db, freeze!, { jobs, ofEach: 2 })
      await advanceThaw(db, id, { upTo, executions: dueTimes.length })
      return dueTimes.map((each) => `${each.name} ${each.scheduled_for.getTime() / 60_000}`)
    }
    expect(await next(1)).toEqual(['a 2', 'a 3'])
    expect(await next(5)).toEqual(['b 4'])
    expect(await next(5)).toEqual([])
    expect(await lockEndedFreeze(db)).toBeUndefined()
    expect(await readFreeze(db, 'batched')).toMatchObject({ execution_count: 3, skipped_count: 5 })
  })

  test('leaves its decision in the ledger, with the execution', async () => {
    const id = await insert('ledger', 60_000)
    const jobId = await insertJob('a')
    await insertSkipped(jobId, id, [1])
    const executionId = randomUUID() as ExecutionId
    await recordThawed(db, [{ jobId, scheduledFor: new Date(60_000), executionId }])
    const { rows } = await sql`select decision, reason, execution_id from rota.occurrence`.execute(
      db,
    )
    expect(rows).toEqual([
      {
        decision: 'skipped_freeze',
        reason: 'freeze x; ran after its end',
        execution_id: executionId,
      },
    ])
  })
})

test('calendars that are known are read again when they have changed, or were made anew', async () => {
  const calendars = createKnownCalendars()
  const definition = { name: 'known', displayName: '', description: '' }
  const day = readDay('2026-12-24')!
  const has = async () => (await calendars.load(db, ['known', 'none'])).get('known')?.has(day)
  const days = (dates: string[]) => JSON.stringify({ dates })
  expect(await has()).toBeUndefined()
  await insertCalendar(db, { ...definition, days: days(['2026-12-24']) })
  expect(await has()).toBe(true)
  const [first, again] = [await calendars.load(db, ['known']), await calendars.load(db, ['known'])]
  expect(again.get('known')).toBe(first.get('known'))
  await updateCalendarRow(db, { ...definition, days: days([]) })
  expect(await has()).toBe(false)
  await sql`delete from rota.calendar`.execute(db)
  expect(await has()).toBeUndefined()
  await insertCalendar(db, { ...definition, days: days(['2026-12-24']) })
  expect(await has()).toBe(true)
})

/** The frequent changes of executions are one row for all that a statement moves. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ExecutionInsert,
  insertExecutions,
} from '../../coordinator/enqueue/enqueue-queries.ts'
import type { Position } from '../../coordinator/events/position.ts'
import {
  type EventRow,
  positionOf,
  readEventHead,
  readEventsAfter,
} from '../../coordinator/events/read-event-queries.ts'
import type { ExecutionId, JobId, SessionId, WorkerId } from '../../coordinator/job/execution.ts'
import type { WorkerOffer } from '../../coordinator/job/offer.ts'
import { claimQueued } from '../../coordinator/match/match-queries.ts'
import { recordStarted } from '../../coordinator/report/report-queries.ts'
import { settleExecutions } from '../../coordinator/settle/settle-queries.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const WORKERS = ['worker-1', 'worker-2', 'worker-3'] as const
const sessionId = randomUUID() as SessionId

let database: TestDatabase
let db: Database
let jobId: JobId
let workerIds: WorkerId[]

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger: pino({ level: 'silent' }) })
  const jobs = await sql<{ id: JobId }>`insert into rota.job (uid, name, state, version)
    values (gen_random_uuid(), 'told', 'active', 1) returning id`.execute(db)
  jobId = jobs.rows[0]!.id
  const workers = await sql<{ id: WorkerId }>`insert into rota.worker (uid, name)
    select gen_random_uuid(), unnest(${[...WORKERS]}::text[]) returning id`.execute(db)
  workerIds = workers.rows.map(({ id }) => id)
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  await sql`truncate rota.event, rota.execution, rota.execution_history`.execute(db)
})

/** So many new ones. */
async function create(count: number, rest: Partial<ExecutionInsert> = {}): Promise<ExecutionId[]> {
  const ids = Array.from({ length: count }, () => randomUUID() as ExecutionId)
  const common = { jobId, jobVersion: 1, trigger: 'manual', priority: 0, classId: 1 } as const
  const unset = { scheduledFor: null, availableAt: null, startDeadlineMs: null } as const
  const rows = ids.map((id) => ({
    ...common,
    ...unset,
    id,
    state: 'queued' as const,
    reasonCode: '' as const,
    guarantee: 'at_least_once' as const,
    parameters: {},
    requestedBy: 'token:admin',
    maxAttempts: 1,
    sessionId: null,
    workerId: null,
    gate: null,
    ...rest,
  }))
  await insertExecutions(db, rows)
  return ids
}

/** Each by the next worker. */
async function claim(ids: readonly ExecutionId[]) {
  const pairs = ids.map((executionId, n) => {
    const workerId = workerIds[n % workerIds.length]
    return { executionId, slots: 1, offer: { workerId, sessionId } as unknown as WorkerOffer }
  })
  const claimed = await claimQueued(db, pairs)
  return claimed.map(({ id, epoch }) => ({ executionId: id, epoch }))
}

async function settle(ids: readonly ExecutionId[], state: 'succeeded' | 'failed', rest = ids) {
  const reason = { reasonCode: '', reasonMessage: '', outputs: undefined, startedAt: undefined }
  const other = state === 'failed' ? 'succeeded' : 'failed'
  await settleExecutions(
    db,
    ids.map((id) => ({ id, state: rest.includes(id) ? state : other, ...reason })),
  )
}

async function storedRows(): Promise<[string, string, string, number][]> {
  const { rows } = await sql<{ type: string; change: string; state: string; event_count: number }>`
    select type, change, state, event_count from rota.event order by id`.execute(db)
  return rows.map((row) => [row.type, row.change, row.state, row.event_count])
}

/** Everything behind `from`, page by page; other tests of this server may keep it back for a moment. */
async function readAll(from: Position, limit: number, count: number): Promise<EventRow[]> {
  const found: EventRow[] = []
  let at = from
  await until('all events can be read', async () => {
    for (;;) {
      const { isKnown, events } = await readEventsAfter(db, at, limit)
      expect(isKnown).toBe(true)
      found.push(...events)
      const last = events.at(-1)
      if (last === undefined) return found.length >= count
      at = positionOf(last)
    }
  })
  return found
}

describe('what a statement moves', () => {
  test('is one row for all that came to the same state, and none when nothing moved', async () => {
    const ids = await create(5)
    const started = await claim(ids)
    const refs = started.map((ref) => ({ ...ref, sessionId }))
    await recordStarted(db, refs)
    await recordStarted(db, refs)
    await claim(ids)
    await settle(ids, 'succeeded', ids.slice(2))
    const rows = await storedRows()
    expect(rows.slice(0, 3)).toEqual([
      ['executions', 'created', 'queued', 5],
      ['executions', 'assigned', 'assigned', 5],
      ['executions', 'started', 'running', 5],
    ])
    expect(rows.slice(3).toSorted((a, b) => a[3] - b[3])).toEqual([
      ['executions', 'settled', 'failed', 2],
      ['executions', 'settled', 'succeeded', 3],
    ])
  })

  test('is a row each where only the event says how it was', async () => {
    await create(2, { state: 'waiting', reasonCode: 'DEPENDENCY', availableAt: 'infinity' })
    const row = ['execution', 'created', 'waiting', 1]
    expect(await storedRows()).toEqual([row, row])
  })
})

describe('a row of several events', () => {
  test('is read as those events, with names of workers that are gone too', async () => {
    const start = await readEventHead(db)
    const ids = await create(3)
    await claim(ids)
    const { rows } = await sql<{ id: WorkerId }>`delete from rota.worker where name = 'worker-2'
      returning id`.execute(db)
    await sql`insert into rota.deleted_worker (id, uid, name, deleted_at)
      values (${rows[0]!.id}, gen_random_uuid(), 'worker-2', clock_timestamp())`.execute(db)
    const events = await readAll(start, 100, 6)
    expect(events).toHaveLength(6)
    const common = { type: 'execution', job_id: jobId, job: 'told' } as const
    for (const event of events) expect(event).toMatchObject(common)
    const [created, assigned] = [events.slice(0, 3), events.slice(3)]
    for (const event of created) {
      expect(event).toMatchObject({ change: 'created', state: 'queued', worker: '' })
    }
    expect(new Set(created.map((event) => event.execution_id))).toEqual(new Set(ids))
    const byId = new Map(assigned.map((event) => [event.execution_id, event]))
    for (const [n, id] of ids.entries()) {
      const expected = { change: 'assigned', state: 'assigned', worker: WORKERS[n] }
      expect(byId.get(id)).toMatchObject(expected)
    }
  })

  test('has a position behind each of them: whoever stops there misses nothing, and sees nothing twice', async () => {
    const start = await readEventHead(db)
    const ids = await create(4)
    await create(1)
    await claim(ids)
    const key = (event: EventRow) => `${event.change} ${event.execution_id}`
    const all = (await readAll(start, 100, 9)).map(key)
    expect(new Set(all).size).toBe(9)
    const events = await readAll(start, 1, 9)
    expect(events.map(key)).toEqual(all)
    for (const [n, event] of events.entries()) {
      const { isKnown, events: rest } = await readEventsAfter(db, positionOf(event), 100)
      expect(isKnown).toBe(true)
      expect(rest.map(key)).toEqual(all.slice(n + 1))
    }
  })

  test('is read as a whole, and ends its page when that is full', async () => {
    const start = await readEventHead(db)
    for (let n = 0; n < 4; n++) await create(5)
    const lengths = async (limit: number) => (await readEventsAfter(db, start, limit)).events.length
    await until('all events can be read', async () => (await lengths(100)) === 20)
    expect(await lengths(1)).toBe(5)
    expect(await lengths(5)).toBe(5)
    expect(await lengths(6)).toBe(10)
    expect(await lengths(16)).toBe(20)
  })
})

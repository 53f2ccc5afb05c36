/** The timeline of an execution is put together from the execution, its attempts, and the events that are its own. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { requestCancel } from '../../coordinator/cancel/cancel-queries.ts'
import { restoreAttempts } from '../../coordinator/dispatch/recovery/recovery-queries.ts'
import { releaseDue } from '../../coordinator/enqueue/enqueue-queries.ts'
import { readTimeline, type TimelineRow } from '../../coordinator/events/timeline-queries.ts'
import type {
  Epoch,
  ExecutionId,
  FinalState,
  SessionId,
  WorkerId,
} from '../../coordinator/job/execution.ts'
import type { WorkerOffer } from '../../coordinator/job/offer.ts'
import { claimQueued } from '../../coordinator/match/match-queries.ts'
import { recordStarted } from '../../coordinator/report/report-queries.ts'
import {
  requeueExecutions,
  retryExecutions,
  settleExecutions,
} from '../../coordinator/settle/settle-queries.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const sessionId = randomUUID() as SessionId
const cancel = { reason: 'enough', force: false, actor: 'token:admin' }

let database: TestDatabase
let db: Database
let workerId: WorkerId
let id: ExecutionId

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger: pino({ level: 'silent' }) })
  const { rows } = await sql<{ id: WorkerId }>`insert into rota.worker (uid, name)
    values (gen_random_uuid(), 'worker-1') returning id`.execute(db)
  workerId = rows[0]!.id
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  id = randomUUID() as ExecutionId
  await sql`insert into rota.execution (id, job_id, job_version, state, trigger, priority, class_id, guarantee,
      available_at, requested_by, max_attempts)
    values (${id}, 1, 1, 'queued', 'manual', 0, 1, 'at_least_once', clock_timestamp(), 'token:admin', 9)`.execute(
    db,
  )
})

async function assign(): Promise<Epoch> {
  const offer = { workerId, sessionId } as unknown as WorkerOffer
  const [claimed] = await claimQueued(db, [{ executionId: id, offer, slots: 1 }])
  return claimed!.epoch
}

const start = (epoch: Epoch) => recordStarted(db, [{ executionId: id, epoch, sessionId }])

/** Writes the attempt that the execution is in, as settling and retrying do. */
async function endAttempt(): Promise<void> {
  await sql`insert into rota.attempt (execution_id, number, epoch, worker, session_id, outcome, reason_code, message,
      assigned_at, started_at, ended_at)
    select id, attempt, epoch, 'worker-1', session_id, 'failed', '', '', assigned_at, started_at, clock_timestamp()
    from rota.execution where id = ${id}`.execute(db)
}

async function retry(): Promise<void> {
  await endAttempt()
  const counts = { delayMs: 0.001, countsFailure: 1, countsLoss: 0 }
  await retryExecutions(db, [{ id, ...counts, reasonCode: 'EXIT_CODE', reasonMessage: 'exit 3' }])
  await until('its delay is over', async () => (await releaseDue(db, 10)).length === 1)
}

async function settle(state: FinalState, rest = { reasonCode: '', reasonMessage: '' }) {
  await settleExecutions(db, [{ id, state, ...rest, outputs: undefined, startedAt: undefined }])
}

const timeline = (after = 0, limit = 100) => readTimeline(db, id, { after, limit })
const told = (rows: readonly TimelineRow[]) =>
  rows.map(({ change, attempt }) => `${change}${attempt === null ? '' : ` ${attempt}`}`)

test('it grows only at its end, whatever has been ended or moved to history meanwhile', async () => {
  let seen: TimelineRow[] = []
  const grows = async () => {
    const rows = await timeline()
    // Times of attempts become those of the agent, everything else stays.
    const lasting = (of: readonly TimelineRow[]) => of.map((row) => ({ ...row, happened_at: 0 }))
    expect(lasting(rows).slice(0, seen.length)).toEqual(lasting(seen))
    seen = rows
  }
  const first = await assign()
  await grows()
  await requeueExecutions(db, [id])
  await grows()
  const second = await assign()
  await grows()
  await start(second)
  await grows()
  await retry()
  await grows()
  const third = await assign()
  await requestCancel(db, id, cancel)
  await grows()
  await start(third)
  await requestCancel(db, id, { ...cancel, force: true })
  await grows()
  await endAttempt()
  await settle('cancelled', { reasonCode: 'CANCELLED', reasonMessage: 'enough' })
  await grows()
  const expected = [
    ...['created', 'assigned 1', 'requeued 1'],
    ...['assigned 1', 'started 1', 'retried 1', 'queued 1'],
    ...['assigned 2', 'cancel_requested 2', 'started 2', 'cancel_requested 2', 'settled 2'],
  ]
  expect(told(seen)).toEqual(expected)
  expect(seen.filter(({ change }) => change === 'assigned').map(({ epoch }) => epoch)).toEqual([
    first,
    second,
    third,
  ])
  expect(seen.at(0)).toMatchObject({ state: 'queued', actor: 'token:admin', worker: '' })
  expect(seen.at(-1)).toMatchObject({
    state: 'cancelled',
    worker: 'worker-1',
    reason_code: 'CANCELLED',
    message: 'enough',
  })
  const times = seen.map(({ happened_at }) => happened_at.getTime())
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('it comes entry by entry, each once, also while the execution goes on', async () => {
  const paged: TimelineRow[] = []
  const next = async () => {
    const rows = await timeline(paged.at(-1)?.sequence, 1)
    expect(rows.length).toBeLessThanOrEqual(1)
    paged.push(...rows)
    return rows.length
  }
  const epoch = await assign()
  await next()
  await start(epoch)
  await next()
  await endAttempt()
  await settle('succeeded')
  while ((await next()) > 0);
  expect(told(paged)).toEqual(['created', 'assigned 1', 'started 1', 'settled 1'])
  expect(paged.map(({ sequence }) => sequence)).toEqual(
    (await timeline()).map(({ sequence }) => sequence),
  )
})

test('what the release before has told itself is there once, in its words', async () => {
  const epoch = await assign()
  await start(epoch)
  for (const [change, state, attempt] of [
    ['created', 'queued', null],
    ['assigned', 'assigned', 1],
    ['started', 'running', 1],
    ['settled', 'failed', 1],
  ] as const) {
    await sql`insert into rota.event (type, change, state, job_id, execution_id, attempt, epoch, actor)
      values ('execution', ${change}, ${state}, 1, ${id}, ${attempt}::int,
        ${attempt === null ? null : epoch}::bigint, 'before')`.execute(db)
  }
  await endAttempt()
  await settle('failed')
  const rows = await timeline()
  expect(told(rows)).toEqual(['created', 'assigned 1', 'started 1', 'settled 1'])
  expect(new Set(rows.map(({ actor }) => actor))).toEqual(new Set(['before']))
})

test('an attempt whose assignment a failover has lost is taken up, not assigned and started', async () => {
  const epoch = ((await assign()) + 7) as Epoch
  await requeueExecutions(db, [id])
  await restoreAttempts(db, { sessionId, workerId }, [{ executionId: id, epoch }])
  const expected = ['created', 'assigned 1', 'requeued 1', 'restored 1']
  expect(told(await timeline())).toEqual(expected)
  await endAttempt()
  await settle('succeeded')
  expect(told(await timeline())).toEqual([...expected, 'settled 1'])
})

test('an execution that ends before any attempt has a beginning and an end', async () => {
  await settle('skipped', { reasonCode: 'START_DEADLINE', reasonMessage: 'too late' })
  const rows = await timeline()
  expect(told(rows)).toEqual(['created', 'settled'])
  expect(rows[1]).toMatchObject({ state: 'skipped', worker: '', message: 'too late', epoch: null })
})

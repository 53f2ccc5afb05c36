import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requeueUnaccepted } from '../../coordinator/dispatch/dispatch-queries.ts'
import type { ExecutionId, JobId, SessionId, WorkerId } from '../../coordinator/job/execution.ts'
import type { WorkerOffer } from '../../coordinator/job/offer.ts'
import { claimQueued, lockQueued, readClaims } from '../../coordinator/match/match-queries.ts'
import { VERY_FRONT } from '../../coordinator/match/queue-fronts.ts'
import { PARTITIONED, readPartitions } from '../../coordinator/retention/partition-queries.ts'
import { keepPartitions } from '../../coordinator/retention/retention-loop.ts'
import { insertOccurrences, lockDueSchedules } from '../../coordinator/schedule/schedule-queries.ts'
import { type SettledExecution, settleExecutions } from '../../coordinator/settle/settle-queries.ts'
import { type Database, type Db, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { PINNED } from '../../coordinator/store/primary.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000

let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  const logger = pino({ level: 'silent' })
  db = openDatabase({ connection: database.connection, logger, poolSize: 20 })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  await sql`truncate rota.execution, rota.execution_history, rota.placement_class, rota.occurrence`.execute(
    db,
  )
})

/** So many queued executions, in classes 1 and 2. */
async function queue(count: number): Promise<void> {
  await sql`insert into rota.execution (id, job_id, job_version, state, trigger, priority, class_id, guarantee,
      available_at, requested_by, max_attempts)
    select gen_random_uuid(), 1, 1, 'queued', 'manual', n % 3 * 10, 1 + n % 2, 'at_least_once', clock_timestamp(), '', 1
    from generate_series(1, ${count}) n`.execute(db)
}

/** Rows of the live table that this transaction has fetched through an index. */
async function fetchedRows(tx: Db): Promise<number> {
  const { rows } = await sql<{
    count: number
  }>`select idx_tup_fetch as count from pg_stat_xact_user_tables
    where schemaname = 'rota' and relname = 'execution'`.execute(tx)
  return Number(rows[0]?.count)
}

const BOTH = [
  { ...VERY_FRONT, classId: 1 },
  { ...VERY_FRONT, classId: 2 },
]

const offer: WorkerOffer = {
  workerId: 1 as WorkerId,
  sessionId: randomUUID() as SessionId,
  name: 'worker-1',
  capabilities: new Set(),
  handlers: new Set(),
  labels: {},
  slots: 1,
  freeSlots: 1,
  health: 'healthy',
  consecutiveFailures: 0,
  loadRatio: 0,
}

describe('claiming', () => {
  test('by twenty at once never gives one execution to two, nor an epoch twice', async () => {
    await queue(200)
    const rounds = Array.from({ length: 20 }, () =>
      db.transaction().execute(async (tx) => {
        const queued = await lockQueued(tx, BOTH, 10)
        const pairs = queued.map(({ id }) => ({ executionId: id, offer, slots: 1 }))
        return claimQueued(tx, pairs)
      }),
    )
    const claimed = (await Promise.all(rounds)).flat()
    expect(new Set(claimed.map(({ id }) => id)).size).toBe(claimed.length)
    expect(new Set(claimed.map(({ epoch }) => epoch)).size).toBe(claimed.length)
    expect(claimed.every(({ attempt }) => attempt === 1)).toBe(true)
    const { rows } = await sql<{ assigned: number }>`select count(*) as assigned from rota.execution
      where state = 'assigned'`.execute(db)
    expect(rows[0]?.assigned).toBe(claimed.length)
    expect(claimed.length).toBe(200)
  })

  test('takes each class from its head: priority, then time', async () => {
    await queue(60)
    const head = await lockQueued(db, BOTH, 5)
    expect(head).toHaveLength(10)
    expect(new Set(head.map(({ priority }) => priority))).toEqual(new Set([20]))
  })

  test('begins where it is told to, in the order of the queue', async () => {
    await queue(60)
    const since = new Date(Date.now() + 60_000)
    await sql`update rota.execution set available_at = ${since} where priority < 20`.execute(db)
    const later = await lockQueued(db, [{ ...VERY_FRONT, classId: 1, since }], 5)
    expect(later.map(({ priority }) => priority)).toEqual([10, 10, 10, 10, 10])
    const all = await lockQueued(db, [BOTH[1]!, { classId: 1, priority: 10, since }], 100)
    expect(all.filter(({ classId }) => classId === 1)).toHaveLength(10)
    expect(all.filter(({ classId }) => classId === 2)).toHaveLength(30)
  })

  test('that begins behind dead rows does not walk over them', async () => {
    await queue(20_000)
    await sql`analyze rota.execution`.execute(db)
    const since = new Date(Date.now() + 60_000)
    // Kept by a transaction that is open: here, the one that has removed them.
    const blocks = await db.transaction().execute(async (tx) => {
      await sql`delete from rota.execution`.execute(tx)
      const blocksOf = async (from: Date) => {
        const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number } }] }>`
          explain (analyze, buffers, format json)
          select id from rota.execution where class_id = 1 and state = 'queued' and priority >= 0 and available_at >= ${from}
          order by priority desc, available_at, id limit 5 for update skip locked`.execute(tx)
        return rows[0]!['QUERY PLAN'][0].Plan['Shared Hit Blocks']
      }
      return { front: await blocksOf(VERY_FRONT.since), behind: await blocksOf(since) }
    })
    expect(blocks.front).toBeGreaterThan(1_000)
    expect(blocks.behind).toBeLessThan(blocks.front / 10)
  })

  test('looks up its rows, though the table was taken for empty', async () => {
    await queue(5_000)
    // One row is left, in the last of many pages.
    await sql`delete from rota.execution where ctid < (select max(ctid) from rota.execution)`.execute(
      db,
    )
    await sql`vacuum analyze rota.execution`.execute(db)
    await queue(5_000)
    const fetched = await db.transaction().execute(async (tx) => {
      for (const [setting, value] of Object.entries(PINNED)) {
        await sql`select set_config(${setting}, ${value}, true)`.execute(tx)
      }
      const queued = await lockQueued(tx, BOTH, 50)
      const before = await fetchedRows(tx)
      await claimQueued(
        tx,
        queued.map(({ id }) => ({ executionId: id, offer, slots: 1 })),
      )
      return (await fetchedRows(tx)) - before
    })
    expect(fetched).toBeGreaterThanOrEqual(100)
    expect(fetched).toBeLessThan(1_000)
  })

  test('what another has claimed meanwhile changes nothing', async () => {
    await queue(1)
    const [first] = await lockQueued(db, BOTH, 1)
    const pairs = [{ executionId: first!.id, offer, slots: 1 }]
    expect(await claimQueued(db, pairs)).toHaveLength(1)
    expect(await claimQueued(db, pairs)).toEqual([])
  })
})

describe('a claim whose answer was lost', () => {
  test('is found when it has been committed, also when that was only just on its way', async () => {
    await queue(2)
    const [first, second] = await lockQueued(db, BOTH, 2)
    const pairOf = (row: typeof first) => ({ executionId: row!.id, offer, slots: 1 })
    const { promise: claimed, resolve: onClaimed } = Promise.withResolvers<void>()
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>()
    const claiming = db.transaction().execute(async (tx) => {
      await claimQueued(tx, [pairOf(first)])
      onClaimed()
      await mayCommit
    })
    await claimed
    const looking = readClaims(db, [pairOf(first), pairOf(second)])
    await until('the look waits for the claim', async () => {
      const { rows } = await sql`select from pg_locks where not granted`.execute(db)
      return rows.length > 0
    })
    commit()
    await claiming
    expect((await looking).map(({ id }) => id)).toEqual([first!.id])
  })
})

test('an assignment that was never accepted goes back into the queue, unless it is to be cancelled', async () => {
  await queue(2)
  const queued = await lockQueued(db, BOTH, 2)
  await claimQueued(
    db,
    queued.map(({ id }) => ({ executionId: id, offer, slots: 1 })),
  )
  await sql`update rota.execution set cancel_requested_at = clock_timestamp() where id = ${queued[0]!.id}`.execute(
    db,
  )
  expect(await requeueUnaccepted(db, [offer.sessionId])).toBe(1)
  const { rows } = await sql<{ id: ExecutionId }>`select id from rota.execution
    where state = 'queued'`.execute(db)
  expect(rows).toEqual([{ id: queued[1]!.id }])
})

test('settling moves a row once, whoever else tries at the same time', async () => {
  await queue(10)
  const { rows } = await sql<{ id: ExecutionId }>`select id from rota.execution`.execute(db)
  const settled = rows.map(
    ({ id }): SettledExecution => ({
      id,
      state: 'succeeded',
      reasonCode: '',
      reasonMessage: '',
      outputs: { answer: 42 },
      startedAt: undefined,
    }),
  )
  const moved = await Promise.all(Array.from({ length: 5 }, () => settleExecutions(db, settled)))
  expect(moved.flat()).toHaveLength(10)
  const { rows: after } = await sql<{ live: number; history: number; any: number }>`
    select (select count(*) from rota.execution) as live,
      (select count(*) from rota.execution_history) as history,
      (select count(*) from rota.execution_any where outputs ->> 'answer' = '42') as any`.execute(
    db,
  )
  expect(after).toEqual([{ live: 0, history: 10, any: 10 }])
})

describe('a due time', () => {
  test('is written into the ledger once', async () => {
    const occurrence = {
      jobId: 1 as JobId,
      scheduledFor: new Date(1_000),
      decision: 'missed' as const,
      reason: 'late',
      executionId: null,
      freezeId: null,
    }
    const written = await Promise.all(
      Array.from({ length: 5 }, () => insertOccurrences(db, [occurrence])),
    )
    expect(written.filter(({ size }) => size === 1)).toHaveLength(1)
  })

  test('that one coordinator decides is not looked at by another', async () => {
    await sql`with j as (insert into rota.job (uid, name, state, version)
        select gen_random_uuid(), 'job-' || n, 'active', 1 from generate_series(1, 20) n returning id)
      insert into rota.schedule select id, 1, now() - interval '2 s', now() - interval '1 s' from j`.execute(
      db,
    )
    const looks: number[][] = []
    const look = async (): Promise<void> =>
      db.transaction().execute(async (tx) => {
        const due = await lockDueSchedules(tx, 10)
        looks.push(due.map(({ job_id }) => job_id))
        if (looks.length < 3) await look()
      })
    await look()
    expect(looks.map(({ length }) => length)).toEqual([10, 10, 0])
    expect(new Set(looks.flat()).size).toBe(20)
  })
})

describe('partitions', () => {
  test('are made for the days ahead and dropped when they are older than what is kept', async () => {
    const clock = createFakeClock(new Date('2031-03-01T12:00:00Z'))
    const deps = {
      ...{ db, clock, random, logger: pino({ level: 'silent' }) },
      ...{ hints: createHints(), specs: createJobSpecs() },
    }
    await Promise.all([keepPartitions(deps, 2 * DAY_MS), keepPartitions(deps, 2 * DAY_MS)])
    for (const table of PARTITIONED) {
      const found = (await readPartitions(db, table)).sort()
      expect(found.length).toBe(8)
      expect([found[0], found.at(-1)]).toEqual([`${table}_20310301`, `${table}_20310308`])
    }
    await clock.advance(5 * DAY_MS)
    await keepPartitions(deps, 2 * DAY_MS)
    for (const table of PARTITIONED) {
      const found = (await readPartitions(db, table)).sort()
      expect([found[0], found.at(-1)]).toEqual([`${table}_20310304`, `${table}_20310313`])
    }
  })

  test('take the rows of their day', async () => {
    await sql`insert into rota.occurrence (job_id, scheduled_for, decision)
      values (1, '2031-03-06T08:00:00Z', 'missed')`.execute(db)
    const { rows } = await sql<{ place: string }>`select c.relname as place
      from rota.occurrence o join pg_class c on c.oid = o.tableoid`.execute(db)
    expect(rows).toEqual([{ place: 'occurrence_20310306' }])
  })
})

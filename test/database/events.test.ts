import { setImmediate as turn } from 'node:timers/promises'
import { type KyselyPlugin, sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Deps } from '../../coordinator/deps.ts'
import { createEventFeed, type EventFeed } from '../../coordinator/events/event-feed.ts'
import { type Delivery, followEvents } from '../../coordinator/events/follow-events.ts'
import type { Position } from '../../coordinator/events/position.ts'
import {
  positionOf,
  readEventHead,
  readEventsAfter,
} from '../../coordinator/events/read-event-queries.ts'
import { tellMoved } from '../../coordinator/events/record-event-queries.ts'
import { createPartition, dropPartition } from '../../coordinator/retention/partition-queries.ts'
import { type Database, type Db, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let db: Database
const logger = pino({ level: 'silent' })

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger, poolSize: 12 })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  await sql`truncate rota.event`.execute(db)
})

/** An event of a worker that nobody has: its message names it. */
async function tell(tx: Db, message: string): Promise<void> {
  await sql`insert into rota.event (type, change, state, worker, message)
    values ('worker', 'updated', 'active', ${message}, ${message})`.execute(tx)
}

/**
 * Reads `count` events, page by page, as a client does that comes back with its position. Transactions of other tests
 * on this server may keep them back for a moment.
 */
async function readOn(from: Position, limit: number, count: () => number): Promise<string[]> {
  const names: string[] = []
  let at = from
  await until('all events can be read', async () => {
    for (;;) {
      const { isKnown, events } = await readEventsAfter(db, at, limit)
      expect(isKnown).toBe(true)
      const last = events.at(-1)
      if (last === undefined) return names.length >= count()
      names.push(...events.map(({ worker }) => worker))
      at = positionOf(last)
    }
  })
  return names
}

/** Behind the newest event, once it can be read. */
async function headOf(message: string): Promise<Position> {
  return until(`${message} can be read`, async () => {
    const head = await readEventHead(db)
    const { rows } = await sql<{ message: string }>`select message from rota.event
      where id = ${head.id}`.execute(db)
    return rows[0]?.message === message ? head : undefined
  })
}

describe('reading on behind a position', () => {
  test('waits for transactions that began before, whoever commits first', async () => {
    const start = await readEventHead(db)
    const gate = Promise.withResolvers<void>()
    const isWritten = Promise.withResolvers<void>()
    const slow = db.transaction().execute(async (tx) => {
      await tell(tx, 'slow')
      isWritten.resolve()
      await gate.promise
      await tell(tx, 'slow again')
    })
    await isWritten.promise
    await tell(db, 'quick')
    expect(await readOn(start, 10, () => 0)).toEqual([])
    gate.resolve()
    await slow
    expect(await readOn(start, 10, () => 3)).toEqual(['slow', 'slow again', 'quick'])
  })

  test('finds every event once and in one order, while many write at the same time', async () => {
    const start = await readEventHead(db)
    let total = Number.POSITIVE_INFINITY
    const readers = [1, 7, 1_000].map((limit) => readOn(start, limit, () => total))
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let round = 0; round < 40; round++) {
        await db.transaction().execute(async (tx) => {
          for (let n = 0; n <= random.fraction() * 3; n++) await tell(tx, `${writer}/${round}/${n}`)
          // Others commit meanwhile, or not.
          for (let n = 0; n < random.fraction() * 20; n++) await turn()
        })
      }
    })
    await Promise.all(writers)
    const { rows } = await sql<{ message: string }>`select message from rota.event`.execute(db)
    total = rows.length
    expect(total).toBeGreaterThan(320)
    const [first, ...others] = await Promise.all(readers)
    expect(first!.toSorted()).toEqual(rows.map(({ message }) => message).toSorted())
    for (const names of others) expect(names).toEqual(first)
  })

  test('is refused behind one that is gone, and behind one of another past', async () => {
    await tell(db, 'one')
    const head = await headOf('one')
    expect(await readEventsAfter(db, head, 1)).toEqual({ isKnown: true, events: [] })
    const other = { ...head, happenedAt: new Date(head.happenedAt.getTime() + 1) }
    expect((await readEventsAfter(db, other, 1)).isKnown).toBe(false)
    await tell(db, 'two')
    await sql`delete from rota.event where message = 'one'`.execute(db)
    expect(await readEventsAfter(db, head, 1)).toEqual({ isKnown: false, events: [] })
  })

  test('begins where nothing has happened yet, but not where the transactions are still to come', async () => {
    const start = await readEventHead(db)
    expect(start.id).toBe(0)
    const later = { ...start, transactionId: String(BigInt(start.transactionId) + 1_000n) }
    expect((await readEventsAfter(db, later, 1)).isKnown).toBe(false)
    const old = { ...start, happenedAt: new Date(start.happenedAt.getTime() - 3_600_001) }
    expect((await readEventsAfter(db, old, 1)).isKnown).toBe(false)
    await tell(db, 'first')
    expect(await readOn(start, 10, () => 1)).toEqual(['first'])
  })

  test('walks the index of its own day and later ones, and no other', async () => {
    const old = {
      table: 'event',
      name: 'event_20200101',
      from: '2020-01-01',
      to: '2020-01-02',
    } as const
    await createPartition(db, old)
    await tell(db, 'one')
    const plan: string[] = []
    await readEventsAfter(db.withPlugin(explainTo(plan)), await headOf('one'), 10)
    const text = plan.join('\n')
    expect(text).toMatch(/Index Scan using event_default_transaction_id_id_idx/)
    expect(text).not.toMatch(/Seq Scan on event|event_20200101/)
    await dropPartition(db, old.name)
  })
})

test('an event is gone when its transaction is', async () => {
  const start = await readEventHead(db)
  const undone = db.transaction().execute(async (tx) => {
    await sql`with moved as (select gen_random_uuid() as id, 1 as job_id, 'running' as state, '' as reason_code,
        '' as reason_message, null::bigint as worker_id, 1 as attempt, 1 as epoch)
      ${tellMoved('started')}`.execute(tx)
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  await tell(db, 'done')
  expect(await readOn(start, 10, () => 1)).toEqual(['done'])
})

describe('following', () => {
  let clock: FakeClock
  let deps: Deps
  let feed: EventFeed
  let statements: string[]

  beforeEach(async () => {
    clock = createFakeClock()
    statements = []
    const noted = db.withPlugin(noteTo(statements))
    deps = { db: noted, clock, random, logger, hints: createHints(), specs: createJobSpecs() }
    feed = createEventFeed(deps)
    await feed.start()
    return () => feed.stop()
  })

  /** What a watcher gets, as it comes. */
  function follow(from?: Position) {
    const got: Delivery[] = []
    const leave = new AbortController()
    const done = (async () => {
      const following = { from, filter: undefined, signal: leave.signal }
      for await (const delivery of followEvents(deps, feed, following)) got.push(delivery)
    })()
    return { got, done, leave: () => leave.abort() }
  }

  const kinds = (got: readonly Delivery[]) => got.map(({ kind }) => kind)

  test('gives a position at once, and every 10 s when nothing else happens', async () => {
    const { got, done, leave } = follow()
    await until('the first position', () => got.length === 1)
    for (let count = 2; count <= 4; count++) {
      await clock.advance(9_000)
      expect(kinds(got)).toEqual(Array(count - 1).fill('keepalive'))
      await clock.advance(1_000)
      await until('the next one', () => got.length === count)
    }
    leave()
    await done
  })

  test('costs nothing when nobody does', async () => {
    const { got, done, leave } = follow()
    await until('the first position', () => got.length === 1)
    await clock.advance(300)
    await until('the feed looks', () => statements.includes('readEventHead'))
    leave()
    await done
    await until('the feed rests', async () => {
      await clock.advance(300)
      return clock.pending === 1
    })
    statements.length = 0
    await clock.advance(60_000)
    expect(statements).toEqual([])
  })

  test('is refused beyond what a coordinator serves', async () => {
    const watchers = Array.from({ length: 500 }, () => feed.watch(new AbortController().signal))
    expect(() => feed.watch(new AbortController().signal)).toThrow(
      expect.objectContaining({ reason: 'OVERLOADED' }),
    )
    watchers[0]!.close()
    feed.watch(new AbortController().signal).close()
    for (const watcher of watchers) watcher.close()
  })

  test('by many reads what is new once, and what it is about once', async () => {
    await tell(db, 'before')
    await headOf('before')
    const watchers = Array.from({ length: 20 }, () => follow())
    await until('all watch', () => watchers.every(({ got }) => got.length === 1))
    await until('the feed and all watchers wait', async () => {
      await clock.advance(50)
      return clock.pending === watchers.length + 1 && statements.includes('readEventsAfter')
    })
    statements.length = 0
    await tell(db, 'news')
    await until('all have it', async () => {
      await clock.advance(300)
      return watchers.every(({ got }) => got.at(-1)?.kind === 'event')
    })
    expect(statements.filter((name) => name === 'resources')).toHaveLength(1)
    for (const { leave } of watchers) leave()
    await Promise.all(watchers.map(({ done }) => done))
  })
})

/** Explains statements instead of running them. */
function explainTo(plan: string[]): KyselyPlugin {
  return {
    transformQuery({ node }) {
      if (node.kind !== 'RawNode') throw new Error('only raw statements are explained')
      const [first = '', ...others] = node.sqlFragments
      return { ...node, sqlFragments: [`explain (analyze, timing off) ${first}`, ...others] }
    },
    transformResult: async ({ result }) => {
      plan.push(...result.rows.map((row) => String(row['QUERY PLAN'])))
      return { ...result, rows: [] }
    },
  }
}

/** Notes the name of each statement; those of the query builder have none, here they read resources. */
function noteTo(statements: string[]): KyselyPlugin {
  return {
    transformQuery({ node }) {
      const text = node.kind === 'RawNode' ? node.sqlFragments.join('') : ''
      statements.push(/\/\* (\w+) \*\//.exec(text)?.[1] ?? 'resources')
      return node
    },
    transformResult: async ({ result }) => result,
  }
}

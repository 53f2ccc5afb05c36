import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Database, type Db, openDatabase } from '../../coordinator/store/database.ts'
import { isDatabaseUnavailable } from '../../coordinator/store/database-errors.ts'
import { migrateToLatest, type ReleasedMigration } from '../../coordinator/store/migrate.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let db: Database
const others: Database[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  db = open()
})

afterEach(async () => {
  for (const other of others.splice(0)) await other.destroy()
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

function open(poolSize = 4): Database {
  const logger = pino({ level: 'silent' })
  return openDatabase({ connection: database.connection, logger, poolSize })
}

/** A pool of its own, ended after the test. */
function openOther(poolSize: number): Database {
  const other = open(poolSize)
  others.push(other)
  return other
}

async function readPid(of: Db): Promise<number> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(of)
  return rows[0]!.pid
}

describe('a transaction', () => {
  test('that was aborted is not taken for committed', async () => {
    const work = db.transaction().execute(async (tx) => {
      await sql`insert into rota.dependency_check (job_id) values (1)`.execute(tx)
      await sql`select 1 / 0`.execute(tx).catch(() => {})
      // Ends normally, though PostgreSQL has given it up.
    })
    await expect(work).rejects.toThrow()
    const { rows } = await sql`select from rota.dependency_check`.execute(db)
    expect(rows).toHaveLength(0)
  })

  test('begins at the server with its first statement, and holds that one too', async () => {
    const other = openOther(1)
    const pid = await readPid(other)
    const stateOf = async () => {
      const { rows } = await sql<{ state: string }>`
        select state from pg_stat_activity where pid = ${pid}`.execute(db)
      return rows[0]?.state
    }
    await other.transaction().execute(async () => {
      expect(await stateOf()).toBe('idle')
    })
    const work = other.transaction().execute(async (tx) => {
      await sql`insert into rota.dependency_check (job_id) values (7)`.execute(tx)
      expect(await stateOf()).toBe('idle in transaction')
      throw new Error('given up')
    })
    await expect(work).rejects.toThrow('given up')
    const { rows } = await sql`select from rota.dependency_check`.execute(db)
    expect(rows).toHaveLength(0)
    expect(await readPid(other)).toBe(pid)
  })

  test('whose backend dies fails as unavailable; the process and the pool live on', async () => {
    const other = openOther(1)
    const work = other.transaction().execute(async (tx) => {
      const pid = await readPid(tx)
      await sql`select pg_terminate_backend(${pid})`.execute(db)
      await until('the backend is gone', async () => {
        const { rows } = await sql`select from pg_stat_activity where pid = ${pid}`.execute(db)
        return rows.length === 0
      })
      await sql`select 1`.execute(tx)
    })
    const error: unknown = await work.then(
      () => undefined,
      (e: unknown) => e,
    )
    expect(isDatabaseUnavailable(error)).toBe(true)
    expect(await readPid(other)).toBeGreaterThan(0)
  })

  test('that waits in a ring fails as unavailable, and the other one goes on', async () => {
    await sql`insert into rota.dependency_check (job_id) values (101), (102)`.execute(db)
    const lock = (tx: Db, jobId: number) =>
      sql`update rota.dependency_check set job_id = job_id where job_id = ${jobId}`.execute(tx)
    const results = await Promise.allSettled([
      db.transaction().execute(async (tx) => {
        await lock(tx, 101)
        await untilOthersHold(2)
        await lock(tx, 102)
      }),
      db.transaction().execute(async (tx) => {
        await lock(tx, 102)
        await untilOthersHold(2)
        await lock(tx, 101)
      }),
    ])
    const [failed] = results.filter((result) => result.status === 'rejected')
    expect(isDatabaseUnavailable(failed?.reason)).toBe(true)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await sql`delete from rota.dependency_check`.execute(db)
  })
})

/** Until so many transactions have written. */
async function untilOthersHold(count: number): Promise<void> {
  await until(`${count} transactions have written`, async () => {
    const { rows } = await sql`select from pg_stat_activity
      where datname = current_database() and backend_xid is not null`.execute(db)
    return rows.length >= count
  })
}

test('idle connections that are killed are replaced', async () => {
  const other = openOther(1)
  const pid = await readPid(other)
  await sql`select pg_terminate_backend(${pid})`.execute(db)
  const next = await until('the pool has healed', () => readPid(other).catch(() => undefined))
  expect(next).not.toBe(pid)
})

test('a query that takes too long fails, and its connection is not used again', async () => {
  const other = openOther(1)
  const pid = await readPid(other)
  const started = performance.now()
  const error: unknown = await sql`select pg_sleep(60)`.execute(other).catch((e: unknown) => e)
  expect(isDatabaseUnavailable(error)).toBe(true)
  expect(performance.now() - started).toBeLessThan(15_000)
  const { rows } = await sql<{ one: number }>`select 1 as one`.execute(other)
  expect(rows).toEqual([{ one: 1 }])
  await until('the backend is gone or idle', async () => {
    const { rows: busy } = await sql`select from pg_stat_activity
      where pid = ${pid} and state = 'active'`.execute(db)
    return busy.length === 0
  })
})

test('a statement with a name is prepared once, one without is not', async () => {
  const other = openOther(1)
  for (let round = 0; round < 3; round++) {
    await sql`/* countNothing */ select ${round}::int as round`.execute(other)
    await sql`select ${round}::int as round`.execute(other)
  }
  const { rows } = await sql<{ name: string; statement: string }>`
    select name, statement from pg_prepared_statements where name <> ''`.execute(other)
  expect(rows).toEqual([
    { name: 'countNothing', statement: '/* countNothing */ select $1::int as round' },
  ])
})

test('int8 is a number, and one beyond 2^53 is refused', async () => {
  const { rows } = await sql<{ n: number }>`select 9007199254740991::int8 as n`.execute(db)
  expect(rows[0]?.n).toBe(Number.MAX_SAFE_INTEGER)
  await expect(sql`select 9007199254740993::int8 as n`.execute(db)).rejects.toThrow('beyond 2^53')
})

describe('migrating', () => {
  test('a second time does nothing', async () => {
    expect(await migrateToLatest(db)).toEqual({ applied: [], later: [] })
  })

  test('an empty database by three at once makes the schema once', async () => {
    const pools = await openFresh(3)
    const outcomes = await Promise.all(pools.map((pool) => migrateToLatest(pool)))
    const applied = outcomes.flatMap((outcome) => outcome.applied)
    expect(applied).toContain('0001-foundation')
    expect(new Set(applied).size).toBe(applied.length)
    expect(outcomes.filter((outcome) => outcome.applied.length > 0)).toHaveLength(1)
  })

  test('with a release that is older than the schema works, unless it was broken for it', async () => {
    const [fresh] = await openFresh(1)
    const first = { '0001-first': adding('first') }
    const second = { ...first, '0002-second': adding('second') }
    const breaking = { ...adding('third'), breaking: 'first is gone' }
    const third = { ...second, '0003-third': breaking }
    const applied = ['0001-first', '0002-second']
    expect(await migrateToLatest(fresh, second)).toEqual({ applied, later: [] })
    expect(await migrateToLatest(fresh, first)).toEqual({ applied: [], later: ['0002-second'] })
    await migrateToLatest(fresh, third)
    expect(await migrateToLatest(fresh, third)).toEqual({ applied: [], later: [] })
    await expect(migrateToLatest(fresh, second)).rejects.toMatchObject({
      reason: 'SCHEMA_TOO_NEW',
      message: expect.stringContaining('0003-third: first is gone'),
    })
  })

  test('that fails leaves nothing of the release behind', async () => {
    const [fresh] = await openFresh(1)
    const failing = { up: async () => Promise.reject(new Error('no')) }
    const both = { '0001-first': adding('first'), '0002-failing': failing }
    await expect(migrateToLatest(fresh, both)).rejects.toThrow('no')
    const { rows } = await sql`select from pg_namespace where nspname = 'rota'`.execute(fresh)
    expect(rows).toHaveLength(0)
  })
})

/** Pools on an empty database; all end after the test. */
async function openFresh<N extends 1 | 3>(
  count: N,
): Promise<N extends 1 ? [Database] : Database[]> {
  const fresh = `${database.connection.database}_${randomBytes(3).toString('hex')}`
  await sql`create database ${sql.id(fresh)} template template0`.execute(db)
  const connection = { ...database.connection, database: fresh }
  const logger = pino({ level: 'silent' })
  const pools = Array.from({ length: count }, () =>
    openDatabase({ connection, logger, poolSize: 1 }),
  )
  onTestFinished(async () => {
    await Promise.all(pools.map((pool) => pool.destroy()))
    await sql`drop database ${sql.id(fresh)} with (force)`.execute(db)
  })
  return pools as N extends 1 ? [Database] : Database[]
}

function adding(table: string): ReleasedMigration {
  return { up: async (of) => void (await sql`create table rota.${sql.id(table)} ()`.execute(of)) }
}

describe('the constraints hold', () => {
  test.each([
    [
      'a job without a version',
      `insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'a', 'active', 0)`,
    ],
    [
      'a job in no known state',
      `insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'a', 'odd', 1)`,
    ],
    [
      'a deleted job without its time',
      `insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'a', 'deleted', 1)`,
    ],
    [
      'an enqueued occurrence without execution',
      `insert into rota.occurrence (job_id, scheduled_for, decision) values (1, now(), 'enqueued')`,
    ],
    [
      'a due time behind its mark',
      `insert into rota.schedule (job_id, job_version, marked_at, due_at) select id, 1, now(), now() - interval '1 s' from one_job`,
    ],
    [
      'an execution of a due time that was missed',
      `insert into rota.occurrence (job_id, scheduled_for, decision, execution_id) values (1, now(), 'missed', gen_random_uuid())`,
    ],
    [
      'a freeze of a due time that it did not skip',
      `insert into rota.occurrence (job_id, scheduled_for, decision, freeze_id) values (1, now(), 'skipped_paused', 1)`,
    ],
    [
      'a schedule that is to be resumed and not paused',
      `insert into rota.schedule (job_id, job_version, marked_at, due_at, resume_at) select id, 1, now(), now() + interval '1 s', now() from one_job`,
    ],
    [
      'runs to skip from no time on',
      `insert into rota.schedule (job_id, job_version, marked_at, due_at, skip_left) select id, 1, now(), now() + interval '1 s', 1 from one_job`,
    ],
    [
      'a freeze that ends before it begins',
      `insert into rota.freeze (name, owner, starts_at, ends_at, after) values ('a', '', now(), now() - interval '1 s', 'skip')`,
    ],
    [
      'a job that depends on itself',
      `insert into rota.dependency (job_id, on_job_id) select id, id from one_job`,
    ],
    [
      'a queued execution with a session',
      execution({ state: 'queued', session_id: 'gen_random_uuid()', worker_id: '1' }),
    ],
    ['an assigned execution without one', execution({ state: 'assigned' })],
    [
      'a running execution that never started',
      execution({ state: 'running', session_id: 'gen_random_uuid()', worker_id: '1' }),
    ],
    [
      'a session without a worker',
      execution({ state: 'assigned', session_id: 'gen_random_uuid()' }),
    ],
    ['a final state among the live', execution({ state: 'succeeded' })],
    ['a priority beyond 100', execution({ state: 'queued', priority: '101' })],
    [
      'a token used more often than it may be',
      `insert into rota.join_token (id, secret_hash, uses_left, created_by, expires_at) values ('x', '', -1, '', now())`,
    ],
  ])('against %s', async (_, statement) => {
    const attempt = db.transaction().execute(async (tx) => {
      await sql`insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'one', 'active', 1)`.execute(
        tx,
      )
      await sql`create temporary table one_job on commit drop as select id from rota.job where name = 'one'`.execute(
        tx,
      )
      await sql.raw(statement).execute(tx)
    })
    await expect(attempt).rejects.toMatchObject({ code: '23514' })
  })

  test('and one that is right is taken', async () => {
    await sql.raw(execution({ state: 'queued' })).execute(db)
    await sql`delete from rota.execution`.execute(db)
  })
})

function execution(change: Readonly<Record<string, string>>): string {
  const { state = '', ...rest } = change
  const row = {
    ...{
      id: 'gen_random_uuid()',
      job_id: '1',
      job_version: '1',
      trigger: `'manual'`,
      priority: '50',
    },
    ...{ class_id: '1', guarantee: `'at_least_once'`, available_at: 'now()', requested_by: `'x'` },
    ...{ max_attempts: '1', state: `'${state}'` },
    ...rest,
  }
  return `insert into rota.execution (${Object.keys(row)}) values (${Object.values(row)})`
}

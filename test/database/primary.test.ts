/** What users of the database see while PostgreSQL goes away, comes back, and is replaced. Real servers, real faults. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { Client } from 'pg'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import type { Database } from '../../coordinator/store/database.ts'
import { openPrimary } from '../../coordinator/store/open-primary.ts'
import { CONNECTIONS, type Primary } from '../../coordinator/store/primary.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { startRelay } from '../support/fake-coordinator.ts'
import {
  type ReplicatedPostgres,
  startReplicatedPostgres,
  startSinglePostgres,
} from '../support/replicated-postgres.ts'
import { makeTemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Opened {
  readonly primary: Primary
  readonly db: Database
  /** Lines of the log from `info` on. */
  readonly lines: string[]
}

async function open(url: string, seenFile?: string): Promise<Opened> {
  const lines: string[] = []
  const logger = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line).msg) })
  const primary = await openPrimary(url, {
    ...{ clock, logger },
    ...(seenFile === undefined ? {} : { seenFile }),
  })
  cleanups.push(() => primary.stop())
  await primary.start()
  return { primary, db: primary.db, lines }
}

async function single() {
  const started = await startSinglePostgres()
  cleanups.push(started.remove)
  return started
}

async function replicated(isSynchronous: boolean): Promise<ReplicatedPostgres> {
  const pair = await startReplicatedPostgres({ isSynchronous })
  cleanups.push(pair.remove)
  return pair
}

async function portOf(db: Database): Promise<number> {
  const { rows } = await sql<{ port: number }>`select current_setting('port')::int as port`.execute(
    db,
  )
  return rows[0]!.port
}

async function failure(work: Promise<unknown>): Promise<RotaError> {
  const error = await work.then(
    () => new Error('it went well'),
    (cause: unknown) => cause,
  )
  if (error instanceof RotaError) return error
  throw error
}

const untilServing = (db: Database) =>
  until('it serves again', () => portOf(db).catch((error: unknown) => unavailable(error)))

/** Anything else than DATABASE_UNAVAILABLE is a failure of the test. */
function unavailable(error: unknown): undefined {
  if (error instanceof RotaError && error.reason === 'DATABASE_UNAVAILABLE') return undefined
  throw error
}

const untilAway = (db: Database) =>
  until('it is away', () =>
    portOf(db).then(
      () => false as const,
      (e: unknown) => e instanceof RotaError,
    ),
  )

describe('one server', () => {
  test('that crashes and restarts is used again; one line when it goes and one when it is back', async () => {
    const { server, url } = await single()
    const { db, lines } = await open(url)
    await server.killPostmaster()
    await untilAway(db)
    // Many fail, and none of them says so in the log.
    await Promise.all(Array.from({ length: 50 }, () => failure(portOf(db))))
    await server.start()
    await untilServing(db)
    expect(lines).toEqual(['PostgreSQL is away', 'PostgreSQL serves again'])
  })

  test('that freezes fails what waits for it and what comes later, and is used again when it thaws', async () => {
    const { server, url } = await single()
    const { db, lines } = await open(url)
    const sleeping = Array.from({ length: CONNECTIONS.flow }, () =>
      failure(sql`select pg_sleep(60)`.execute(db)),
    )
    await until('all are busy', async () => {
      const rows = await server.query(
        `select from pg_stat_activity where query ~ 'pg_sleep' and state = 'active'`,
      )
      return rows.length >= CONNECTIONS.flow
    })
    const queued = failure(portOf(db))
    await server.freeze()
    for (const error of await Promise.all([...sleeping, queued])) {
      expect(error.reason).toBe('DATABASE_UNAVAILABLE')
    }
    const startedMs = performance.now()
    await Promise.all(Array.from({ length: 100 }, () => failure(portOf(db))))
    // Refused at once: a hundred that waited for a connection each would take minutes.
    expect(performance.now() - startedMs).toBeLessThan(1_500)
    await server.thaw()
    await untilServing(db)
    await Promise.all(Array.from({ length: 20 }, () => portOf(db)))
    expect(lines).toEqual(['PostgreSQL is away', 'PostgreSQL serves again'])
  })

  test('behind a network that swallows everything is away, and used again afterwards', async () => {
    const { server, url } = await single()
    const relay = await startRelay(server.port)
    cleanups.push(async () => relay.stop())
    const { db } = await open(url.replace(`127.0.0.1:${server.port}`, relay.address))
    relay.freeze()
    expect((await failure(portOf(db))).reason).toBe('DATABASE_UNAVAILABLE')
    relay.thaw()
    await untilServing(db)
  })

  test('that becomes read-only is away until it takes writes again', async () => {
    const { server, url } = await single()
    const { db } = await open(url)
    await server.query('alter system set default_transaction_read_only = on')
    await server.query('select pg_reload_conf()')
    await untilAway(db)
    const client = new Client(server.connection)
    await client.connect()
    await client.query('set default_transaction_read_only = off')
    await client.query('alter system reset default_transaction_read_only')
    await client.query('select pg_reload_conf()')
    await client.end()
    await untilServing(db)
  })

  test('whose backends are ended by an administrator stays in use', async () => {
    const { server, url } = await single()
    const { db, lines } = await open(url)
    await portOf(db)
    await server.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rota'`,
    )
    await untilServing(db)
    await until('every broken client is gone', () =>
      Promise.all(Array.from({ length: 10 }, () => portOf(db))).catch((e: unknown) =>
        unavailable(e),
      ),
    )
    expect(lines).toEqual([])
  })

  test('that is not there at the start says so, with what is wrong at each address', async () => {
    const error = await failure(open('postgres://ada:secret-word@127.0.0.1:9,127.0.0.1:10/rota'))
    expect(error.reason).toBe('DATABASE_UNAVAILABLE')
    expect(error.message).toMatch(/127\.0\.0\.1:9: .*ECONNREFUSED.*127\.0\.0\.1:10: .*ECONNREFUSED/)
    expect(JSON.stringify(error)).not.toContain('secret-word')
  })
})

describe('a primary and its standby', () => {
  test('in any order: the primary is found, and after a failover the other one', async () => {
    const pair = await replicated(false)
    const { primary, standby } = pair
    const url = pair.url.replace(/@([^,]+),([^/]+)\//, '@$2,$1/')
    const { db } = await open(url)
    expect(await portOf(db)).toBe(primary.port)
    await primary.kill()
    await untilAway(db)
    await standby.promote()
    expect(await untilServing(db)).toBe(standby.port)
  })

  test('an old primary that comes back is never used, also not by a coordinator that was restarted', async () => {
    const folder = await makeTemporaryFolder()
    cleanups.push(folder.remove)
    const seenFile = join(folder.path, 'seen', 'timelines.json')
    const pair = await replicated(false)
    const { primary, standby } = pair
    const first = await open(pair.url, seenFile)
    await primary.kill()
    await standby.promote()
    expect(await untilServing(first.db)).toBe(standby.port)
    await primary.start()
    await standby.kill()
    await untilAway(first.db)
    const restarted = await failure(open(pair.url, seenFile))
    expect(restarted.message).toContain('is an old primary: its timeline is 1, and 2 was seen')
    expect((await failure(portOf(first.db))).reason).toBe('DATABASE_UNAVAILABLE')
    await standby.start()
    expect(await untilServing(first.db)).toBe(standby.port)
  })

  test('a promotion while the old primary lives is noticed', async () => {
    const pair = await replicated(false)
    const { db } = await open(pair.url)
    expect(await portOf(db)).toBe(pair.primary.port)
    await pair.standby.promote()
    await until('the new one is used', async () => {
      const port = await portOf(db).catch((error: unknown) => unavailable(error))
      return port === pair.standby.port
    })
  })

  test('a commit that waits for a stalled standby fails as unknown, and everything is refused until it commits again', async () => {
    const pair = await replicated(true)
    const { db, lines } = await open(pair.url)
    await sql`create table kept (n integer)`.execute(db)
    await pair.stallReplication()
    const error = await failure(sql`insert into kept values (1)`.execute(db))
    expect(error).toMatchObject({
      reason: 'DATABASE_UNAVAILABLE',
      hint: expect.stringContaining('request_id'),
    })
    expect((await failure(portOf(db))).hint).not.toContain('request_id')
    // However often it is asked, one commit of ours waits there.
    await until('the commits wait', async () => (await waitingCommits(pair)) > 0)
    expect(await waitingCommits(pair)).toBeLessThanOrEqual(2)
    await pair.resumeReplication()
    await untilServing(db)
    expect(lines).toEqual(['PostgreSQL is away', 'PostgreSQL serves again'])
  })

  test('a commit whose wait was cancelled is not taken for one', async () => {
    const pair = await replicated(true)
    const { db } = await open(pair.url)
    await sql`create table kept (n integer)`.execute(db)
    await pair.stallReplication()
    const insert = failure(
      db.transaction().execute((tx) => sql`insert into kept values (1)`.execute(tx)),
    )
    await until('it waits for the standby', async () => {
      const rows = await pair.primary.query(
        `select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep' and query = 'commit'`,
      )
      return rows.length > 0
    })
    expect(await insert).toMatchObject({ hint: expect.stringContaining('request_id') })
    await pair.resumeReplication()
  })
})

async function waitingCommits({ primary }: ReplicatedPostgres): Promise<number> {
  return (await primary.query(`select from pg_stat_activity where wait_event = 'SyncRep'`)).length
}

test('whoever must know is told of a primary before anybody uses it', async () => {
  const pair = await replicated(false)
  const { primary, db } = await open(pair.url)
  const told: string[] = []
  primary.onFound(async (found, { timeline }) => {
    told.push(`found ${await portOf(found)} ${timeline}`)
    expect((await failure(portOf(db))).reason).toBe('DATABASE_UNAVAILABLE')
  })
  primary.onServing(() => void told.push('serving'))
  await pair.primary.kill()
  await pair.standby.promote()
  await untilServing(db)
  expect(told).toEqual([`found ${pair.standby.port} 2`, 'serving'])
})

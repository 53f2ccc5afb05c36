/** The servers of fault tests do what their names say. */
import { Client } from 'pg'
import { afterEach, expect, test } from 'vitest'
import type { PostgresServer } from '../support/postgres-server.ts'
import { startReplicatedPostgres, startSinglePostgres } from '../support/replicated-postgres.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function timelineOf({ query }: PostgresServer): Promise<number> {
  const [row] = await query<{ name: string }>(
    'select pg_walfile_name(pg_current_wal_insert_lsn()) as name',
  )
  return Number.parseInt(row!.name.slice(0, 8), 16)
}

test('a promoted standby has what was committed before its stream stalled, and nothing after', async () => {
  const pair = await startReplicatedPostgres({ isSynchronous: false })
  cleanups.push(pair.remove)
  const { primary, standby } = pair
  await primary.query('create table kept (n integer)')
  await primary.query('insert into kept values (1)')
  await pair.caughtUp()
  await pair.stallReplication()
  await primary.query('insert into kept values (2)')
  await primary.kill()
  await standby.promote()
  expect(await standby.query('select n from kept')).toEqual([{ n: 1 }])
  expect(await timelineOf(standby)).toBe(2)
  // An old primary that comes back does not know that it was replaced.
  await primary.start()
  expect(await primary.query('select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }])
  expect(await timelineOf(primary)).toBe(1)
})

test('a synchronous primary whose standby stalls does not answer a commit', async () => {
  const pair = await startReplicatedPostgres({ isSynchronous: true })
  cleanups.push(pair.remove)
  await pair.primary.query('create table kept (n integer)')
  await pair.stallReplication()
  let isAnswered = false
  const insert = pair.primary.query('insert into kept values (1)').then(() => {
    isAnswered = true
  })
  await pair.primary.query('select count(*) from kept')
  expect(isAnswered).toBe(false)
  await pair.resumeReplication()
  await insert
})

test('a frozen server keeps its connections open and answers when it thaws', async () => {
  const single = await startSinglePostgres()
  cleanups.push(single.remove)
  const client = new Client({ connectionString: single.url })
  await client.connect()
  cleanups.push(() => client.end())
  await single.server.freeze()
  let isAnswered = false
  const answer = client.query('select 1').then(() => {
    isAnswered = true
  })
  await expect(
    new Client({ ...single.server.connection, connectionTimeoutMillis: 300 }).connect(),
  ).rejects.toThrow()
  expect(isAnswered).toBe(false)
  await single.server.thaw()
  await answer
})

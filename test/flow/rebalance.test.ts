import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { connectScripted, joinScripted } from '../support/scripted-agent.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
const running: TestCoordinator[] = []
/** What all coordinators and agents log. */
let log: string[] = []
const logger = pino({ level: 'info' }, { write: (line) => void log.push(line) })

beforeEach(async () => {
  database = await createTestDatabase()
  log = []
})

afterEach(async () => {
  for (const rota of running.splice(0)) await rota.remove()
  await database.drop()
})

async function start(...options: readonly string[]): Promise<TestCoordinator> {
  const rota = await startTestCoordinator(['--lease', '3s', ...options], { database, logger })
  running.push(rota)
  return rota
}

/** Sessions of each coordinator, by its address. */
async function sessionsBy({ db }: TestCoordinator): Promise<Record<string, number>> {
  const { rows } = await sql<{ address: string; count: number }>`
    select c.address, count(s.id)::int as count
    from rota.coordinator c left join rota.session s on s.coordinator_id = c.id
    group by c.address`.execute(db)
  return Object.fromEntries(rows.map(({ address, count }) => [address, count]))
}

/** A job that writes a line at each start, and ends when it may. */
async function createWaiting(rota: TestCoordinator, name: string) {
  const [starts, flag] = [`${rota.dataDir}/${name}.starts`, `${rota.dataDir}/${name}.go-on`]
  const command = `echo "$ROTA_EXECUTION" >> ${starts}; until [ -e ${flag} ]; do sleep 0.05; done`
  await rota.createJob(name, shell(command))
  return {
    starts: () => (existsSync(starts) ? readFileSync(starts, 'utf8').trim().split('\n') : []),
    goOn: () => writeFileSync(flag, ''),
  }
}

async function attemptsLost({ db }: TestCoordinator): Promise<number> {
  const { rows } = await sql`select from rota.attempt where outcome <> 'succeeded'`.execute(db)
  return rows.length
}

test('a coordinator that joins gets its share, and what runs is not disturbed', async () => {
  const a = await start()
  for (const name of ['w-1', 'w-2', 'w-3', 'w-4']) await a.addAgent(name)
  const job = await createWaiting(a, 'long')
  const executions = await Promise.all([1, 2, 3, 4, 5, 6].map(() => a.trigger('long')))
  await until('all run', () => job.starts().length === executions.length)
  const b = await start()
  await until('the agents are shared', async () => {
    const counts = await sessionsBy(a)
    return counts[a.address()] === 2 && counts[b.address()] === 2
  })
  job.goOn()
  for (const { name } of executions) {
    const ended = await b.ended(name)
    expect(ended).toMatchObject({ state: ExecutionState.SUCCEEDED, attempts: [{ number: 1 }] })
  }
  expect(job.starts()).toHaveLength(executions.length)
  expect(await attemptsLost(a)).toBe(0)
})

test('a coordinator that stops sends its agents to the others first, and nothing is lost', async () => {
  const [a, b] = [await start(), await start()]
  for (const name of ['w-1', 'w-2']) await a.addAgent(name)
  const job = await createWaiting(b, 'long')
  const executions = await Promise.all([1, 2, 3].map(() => b.trigger('long')))
  await until('all run', () => job.starts().length === executions.length)
  await a.stop()
  // At once: they went before it stopped.
  expect(await sessionsBy(b)).toEqual({ [b.address()]: 2 })
  job.goOn()
  for (const { name } of executions) {
    expect((await b.ended(name)).attempts).toHaveLength(1)
  }
  expect(job.starts()).toHaveLength(executions.length)
  expect(await attemptsLost(b)).toBe(0)
  await b.createJob('after', shell('true'))
  const { name } = await b.trigger('after')
  expect((await b.ended(name)).state).toBe(ExecutionState.SUCCEEDED)
})

test('an agent of the release before is served, and left where it is', async () => {
  const a = await start()
  const [old, other] = await Promise.all(['w-1', 'w-2'].map((name) => joinScripted(a, name)))
  const session = await connectScripted(a, old!, { protocolVersion: 1 })
  const second = await connectScripted(a, other!, { protocolVersion: 2 })
  const b = await start()
  await until('the new one is sent elsewhere', () => second.goodbyes().length > 0)
  expect(second.goodbyes()[0]?.coordinators).toEqual([b.address()])
  expect(session.goodbyes()).toEqual([])
  expect(session.coordinators()).toEqual([])
  await a.createJob('hello', shell('true', { placement: { worker: 'workers/w-1' } }))
  const { name } = await b.trigger('hello')
  expect((await session.assignment(name)).execution).toBe(name)
  session.cut()
  second.cut()
})

test('an agent that cannot go elsewhere is asked once, and works on', async () => {
  const a = await start()
  await a.addAgent('w-1')
  await a.addAgent('w-2')
  // Nobody listens there.
  await start('--advertise', '127.0.0.1:9')
  await a.createJob('hello', shell('true'))
  await until('it says so', () => log.some((line) => line.includes('did not go elsewhere')))
  const { name } = await a.trigger('hello')
  expect((await a.ended(name)).state).toBe(ExecutionState.SUCCEEDED)
  expect((await sessionsBy(a))[a.address()]).toBe(2)
})

test('three coordinators decide each due time once, and start it once', async () => {
  const all = [await start(), await start(), await start()]
  const [a] = all as [TestCoordinator]
  for (const rota of all) await rota.addAgent(`w-${running.indexOf(rota)}`)
  const starts = `${a.dataDir}/tick.starts`
  const command = `echo "$ROTA_EXECUTION" >> ${starts}`
  await a.createJob('tick', { ...shell(command), ...schedule({ every: seconds('1s') }) })
  const count = 6
  await until('it has fired some times', () => {
    return existsSync(starts) && readFileSync(starts, 'utf8').trim().split('\n').length >= count
  })
  await a.jobs.pauseJob({ name: 'jobs/tick' })
  await until('all have ended', async () => {
    const { rows } = await sql`select from rota.execution`.execute(a.db)
    return rows.length === 0
  })
  const { rows } = await sql<{ at: number; decision: string }>`
    select extract(epoch from scheduled_for)::int as at, decision from rota.occurrence
    order by scheduled_for`.execute(a.db)
  expect(rows.map(({ at }) => at - (rows[0]?.at ?? 0))).toEqual(rows.map((_, index) => index))
  const started = readFileSync(starts, 'utf8').trim().split('\n')
  expect(new Set(started).size).toBe(started.length)
  expect(started).toHaveLength(rows.filter(({ decision }) => decision === 'enqueued').length)
})

/** A job of every second that takes three, under each policy, while a coordinator is killed in the middle. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type RunningProcess, runRota, startProcess } from '../support/processes.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const POLICIES = ['skip', 'queue-one', 'queue-all', 'cancel-running'] as const
let database: TestDatabase
let db: Database
let temporary: TemporaryFolder
const processes: RunningProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger: pino({ level: 'silent' }) })
  temporary = await makeTemporaryFolder()
})

afterAll(async () => {
  for (const each of processes) each.kill('SIGKILL')
  await Promise.all(processes.map(({ exit }) => exit))
  await db.destroy()
  await database.drop()
  await temporary.remove()
})

async function startCoordinator(name: string) {
  const dataDir = join(temporary.path, name)
  const place = ['--data-dir', dataDir, '--grpc-port', '0', '--http-port', '0', '--lease', '6s']
  const env = { DATABASE_URL: database.connectionString, ROTA_CLUSTER_KEY: database.clusterKey }
  const process = startProcess({ args: ['coordinator/main.ts', ...place], env })
  processes.push(process)
  const { grpcAddress } = await process.answer('ready')
  const rota = (...args: string[]) => runRota(['--data-dir', dataDir, ...args])
  return { process, rota, address: String(grpcAddress) }
}

type StartedCoordinator = Awaited<ReturnType<typeof startCoordinator>>

async function startAgent(name: string, coordinator: StartedCoordinator): Promise<void> {
  const created = await coordinator.rota('token', 'create', '--worker', name, '-o', 'json')
  const { token } = JSON.parse(created.stdout)
  const place = ['--data-dir', join(temporary.path, name), '--coordinator', coordinator.address]
  const args = ['agent/main.ts', 'run', ...place, '--name', name, '--slots', '8']
  const agent = startProcess({ args, env: { ROTA_JOIN_TOKEN: token } })
  processes.push(agent)
  await agent.answer('connected')
}

interface Run {
  /** Null: triggered by hand. */
  readonly due: number | null
  readonly started: number
  readonly ended: number
  readonly state: string
  readonly message: string
}

/** What has run of a job, by when it started, in seconds. */
async function runsOf(job: string): Promise<Run[]> {
  const { rows } = await sql<Run>`
    select extract(epoch from h.scheduled_for)::int as due, extract(epoch from a.started_at)::float8 as started,
      extract(epoch from a.ended_at)::float8 as ended, h.state, h.reason_message as message
    from rota.attempt a join rota.execution_history h on h.id = a.execution_id
    join rota.job j on j.id = h.job_id where j.name = ${job} and a.started_at is not null
    order by a.started_at`.execute(db)
  return rows
}

/** How often each decision was taken. */
async function decisionsOf(job: string): Promise<Record<string, number>> {
  const { rows } = await sql<{ decision: string; due: number }>`
    select decision, extract(epoch from scheduled_for)::int as due from rota.occurrence o
    join rota.job j on j.id = o.job_id where j.name = ${job} order by due`.execute(db)
  // Every second has its row.
  expect(rows.map(({ due }) => due - (rows[0]?.due ?? 0))).toEqual(rows.map((_, index) => index))
  const counts = Map.groupBy(rows, ({ decision }) => decision)
  return Object.fromEntries([...counts].map(([decision, { length }]) => [decision, length]))
}

it('never runs two at once, decides every due time, and loses none', async () => {
  const [a, b] = [await startCoordinator('a'), await startCoordinator('b')]
  await Promise.all([startAgent('worker-1', a), startAgent('worker-2', b)])
  for (const policy of POLICIES) {
    const args = ['--schedule', 'every 1s', '--overlap', policy, '--kill-grace', '1s']
    const created = await b.rota('job', 'create', policy, '--command', 'sleep 3', ...args)
    expect(created).toMatchObject({ code: 0 })
  }
  await until('all have run', async () => {
    const runs = await Promise.all(POLICIES.map(runsOf))
    return runs.every(({ length }) => length > 0)
  })
  // Between two of its runs it is not refused, and is in the way of the next one.
  const refused = await until('a trigger is refused', async () => {
    const { code, stderr } = await b.rota('job', 'trigger', 'skip')
    return code !== 0 && { code, stderr }
  })
  expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('OVERLAP_REFUSED') })

  const before = await Promise.all(POLICIES.map(runsOf))
  a.process.kill('SIGKILL')
  await until('all have run twice more', async () => {
    const runs = await Promise.all(POLICIES.map(runsOf))
    return runs.every(({ length }, index) => length >= (before[index]?.length ?? 0) + 2)
  })
  for (const policy of POLICIES)
    expect(await b.rota('job', 'pause', policy)).toMatchObject({ code: 0 })

  for (const policy of POLICIES) {
    const runs = await runsOf(policy)
    const overlapping = runs.filter((run, index) => run.started < (runs[index - 1]?.ended ?? 0))
    expect(overlapping, policy).toEqual([])
    const dues = runs.flatMap(({ due }) => due ?? [])
    expect(dues, policy).toEqual([...dues].sort((x, y) => x - y))
  }
  const [skip, one, all, cancel] = await Promise.all(POLICIES.map(decisionsOf))
  expect(skip).toMatchObject({ skipped_overlap: expect.any(Number) })
  expect(one).toMatchObject({ coalesced: expect.any(Number) })
  const { skipped_paused: _, ...ofAll } = all ?? {}
  expect(Object.keys(ofAll)).toEqual(['enqueued'])
  expect(Object.keys(cancel ?? {})).toContain('enqueued')
  const cancelled = (await runsOf('cancel-running')).filter(({ state }) => state === 'cancelled')
  expect(cancelled.length).toBeGreaterThan(0)
  expect(cancelled[0]?.message).toMatch(/^execution .* of cancel-running takes its place$/)
  for (const policy of ['skip', 'queue-one', 'queue-all']) {
    const states = (await runsOf(policy)).map(({ state }) => state)
    expect(new Set(states), policy).toEqual(new Set(['succeeded']))
  }
})

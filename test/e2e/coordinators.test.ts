/** Several coordinator processes on one PostgreSQL, one of which is killed, or frozen for a while. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type RunningProcess, runRota, startProcess } from '../support/processes.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'
import { until } from '../support/until.ts'

const AGENTS = ['worker-1', 'worker-2', 'worker-3']
let database: TestDatabase
let db: Database
let temporary: TemporaryFolder
const processes: RunningProcess[] = []

interface StartedCoordinator {
  readonly process: RunningProcess
  readonly address: string
  readonly dataDir: string
}

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

async function startCoordinator(name: string): Promise<StartedCoordinator> {
  const dataDir = join(temporary.path, name)
  const place = ['--data-dir', dataDir, '--grpc-port', '0', '--http-port', '0', '--lease', '6s']
  const env = { DATABASE_URL: database.connectionString, ROTA_CLUSTER_KEY: database.clusterKey }
  const process = startProcess({ args: ['coordinator/main.ts', ...place], env })
  processes.push(process)
  const { grpcAddress } = await process.answer('ready')
  return { process, dataDir, address: String(grpcAddress) }
}

async function startAgent(name: string, coordinator: StartedCoordinator): Promise<void> {
  const rota = ['--data-dir', coordinator.dataDir, 'token', 'create', '--worker', name]
  const { token } = JSON.parse((await runRota([...rota, '-o', 'json'])).stdout)
  const place = ['--data-dir', join(temporary.path, name), '--coordinator', coordinator.address]
  const args = ['agent/main.ts', 'run', ...place, '--name', name, '--slots', '2']
  const agent = startProcess({ args, env: { ROTA_JOIN_TOKEN: token } })
  processes.push(agent)
  await agent.answer('connected')
}

/** How many sessions a coordinator has. */
async function sessionsOf({ address }: StartedCoordinator): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from rota.session s join rota.coordinator c on c.id = s.coordinator_id
    where c.address = ${address}`.execute(db)
  return rows[0]?.count ?? 0
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

it('the agents of a killed or frozen coordinator go to the others, and their work goes on', async () => {
  const [a, b] = [await startCoordinator('a'), await startCoordinator('b')]
  await Promise.all(AGENTS.map((name) => startAgent(name, a)))
  const rota = (of: StartedCoordinator, ...args: string[]) =>
    runRota(['--data-dir', of.dataDir, ...args])
  const starts = join(temporary.path, 'starts')
  const command = `echo "$ROTA_EXECUTION" >> ${starts}; sleep 0.2`
  await rota(b, 'job', 'create', 'tick', '--command', command, '--schedule', 'every 1s')
  await until('it ticks', () => linesOf(starts).length > 0)
  await until('both have agents', async () => {
    return (await sessionsOf(a)) > 0 && (await sessionsOf(b)) > 0
  })

  a.process.kill('SIGKILL')
  await until('all agents are with the other one', async () => {
    return (await sessionsOf(b)) === AGENTS.length
  })
  const killed = linesOf(starts).length
  await until('it goes on ticking', () => linesOf(starts).length > killed + 2)

  const c = await startCoordinator('c')
  await until('the new one has its share', async () => (await sessionsOf(c)) > 0)
  b.process.kill('SIGSTOP')
  await until('all agents have left the frozen one', async () => {
    return (await sessionsOf(c)) === AGENTS.length
  })
  b.process.kill('SIGCONT')
  const frozen = linesOf(starts).length
  await until('it goes on ticking', () => linesOf(starts).length > frozen + 2)

  expect(await rota(c, 'job', 'pause', 'tick')).toMatchObject({ code: 0 })
  await until('all have ended', async () => {
    const { rows } = await sql`select from rota.execution`.execute(db)
    return rows.length === 0
  })
  const { rows } = await sql<{ at: number; decision: string }>`
    select extract(epoch from scheduled_for)::int as at, decision from rota.occurrence
    order by scheduled_for`.execute(db)
  expect(rows.map(({ at }) => at - (rows[0]?.at ?? 0))).toEqual(rows.map((_, index) => index))
  const started = linesOf(starts)
  expect(new Set(started).size).toBe(started.length)
  expect(started).toHaveLength(rows.filter(({ decision }) => decision === 'enqueued').length)
  const { rows: lost } = await sql`select from rota.attempt where outcome <> 'succeeded'`.execute(
    db,
  )
  expect(lost).toHaveLength(0)
}, 120_000)

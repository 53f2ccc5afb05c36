/** A coordinator process on a PostgreSQL that somebody else started and runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { type RunningProcess, runRota, startProcess } from '../support/processes.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../support/temporary-folder.ts'

let database: TestDatabase
let temporary: TemporaryFolder
const started: RunningProcess[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  temporary = await makeTemporaryFolder()
})

afterAll(async () => {
  for (const each of started) each.kill('SIGKILL')
  await Promise.all(started.map(({ exit }) => exit))
  await database.drop()
  await temporary.remove()
})

function startCoordinator(databaseUrl: string): RunningProcess {
  const place = ['--data-dir', temporary.path, '--grpc-port', '0', '--http-port', '0']
  const env = { DATABASE_URL: databaseUrl }
  const coordinator = startProcess({ args: ['coordinator/main.ts', ...place], env })
  started.push(coordinator)
  return coordinator
}

describe('DATABASE_URL', () => {
  it('is used, and finds the same jobs after a restart', async () => {
    const first = startCoordinator(database.connectionString)
    await first.answer('ready')
    const rota = (...args: string[]) => runRota(['--data-dir', temporary.path, ...args])
    expect(await rota('job', 'create', 'kept', '--command', 'true')).toMatchObject({ code: 0 })
    first.kill('SIGTERM')
    expect(await first.exit).toBe(0)

    const second = startCoordinator(database.connectionString)
    await second.answer('ready')
    expect((await rota('job', 'list', '-o', 'name')).stdout).toBe('jobs/kept\n')
  })

  it('says what is wrong when nobody answers there, without the password', async () => {
    const coordinator = startCoordinator('postgres://ada:secret-word@127.0.0.1:9/rota')
    expect(await coordinator.exit).toBe(1)
    const said = coordinator.lines.join('\n')
    expect(said).toContain('DATABASE_UNAVAILABLE')
    expect(said).not.toContain('secret-word')
  })

  it('must be a URL', async () => {
    const coordinator = startCoordinator('rota-database')
    expect(await coordinator.exit).toBe(2)
    expect(coordinator.lines.join('\n')).toMatch(/DATABASE_URL .*\n.*postgres:\/\//)
  })
})

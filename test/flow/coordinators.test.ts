import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { makeAuthority } from '../../coordinator/identity/certificate-authority.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { connectScripted, joinScripted } from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import {
  startTestCoordinator,
  type TestCoordinator,
  type TestCoordinatorSetup,
} from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
const running: TestCoordinator[] = []

beforeEach(async () => {
  database = await createTestDatabase()
})

afterEach(async () => {
  for (const rota of running.splice(0)) await rota.remove()
  await database.drop()
})

async function start(setup: Partial<TestCoordinatorSetup> = {}): Promise<TestCoordinator> {
  const rota = await startTestCoordinator([], { database, ...setup })
  running.push(rota)
  return rota
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  )
  return error instanceof RotaError ? error.reason : `${error}`
}

function caOf({ files }: TestCoordinator): string {
  return readFileSync(files.caCertificate, 'utf8')
}

async function temporaryDataDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rota-coordinator-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

describe('the certificate authority', () => {
  test('is the same for coordinators that start at once on a new database', async () => {
    const [a, b, c] = await Promise.all([start(), start(), start()])
    expect(caOf(b)).toBe(caOf(a))
    expect(caOf(c)).toBe(caOf(a))
    expect(existsSync(a.files.caKey)).toBe(false)
    const identity = await joinScripted(a, 'worker-1')
    const session = await connectScripted(b, identity)
    session.cut()
  })

  test('needs the key that its data folder made, and says how to get it', async () => {
    const first = await start({ env: {} })
    const key = readFileSync(first.files.clusterKey, 'utf8')
    expect(statSync(first.files.clusterKey).mode & 0o777).toBe(0o600)
    const dataDir = await temporaryDataDir()
    expect(await reasonOf(start({ env: {}, dataDir }))).toBe('CLUSTER_KEY_MISSING')
    expect(existsSync(coordinatorFiles(dataDir).clusterKey)).toBe(false)
    const wrong = { ROTA_CLUSTER_KEY: '00'.repeat(32) }
    expect(await reasonOf(start({ env: wrong, dataDir }))).toBe('CLUSTER_KEY_WRONG')
    const second = await start({ env: { ROTA_CLUSTER_KEY: key.trim() } })
    expect(caOf(second)).toBe(caOf(first))
    writeFileSync(coordinatorFiles(dataDir).clusterKey, key)
    const third = await start({ env: {}, dataDir })
    expect(caOf(third)).toBe(caOf(first))
  })

  test('of an earlier layout is taken over: agents that trust it go on', async () => {
    const dataDir = await temporaryDataDir()
    const files = coordinatorFiles(dataDir)
    const ca = await makeAuthority({ clock, random })
    mkdirSync(files.folder, { recursive: true })
    writeFileSync(files.caKey, ca.key)
    writeFileSync(files.caCertificate, ca.certificate)
    const first = await start({ env: {}, dataDir })
    expect(caOf(first)).toBe(ca.certificate)
    expect(existsSync(files.caKey)).toBe(false)
    const second = await start({
      env: { ROTA_CLUSTER_KEY: readFileSync(files.clusterKey, 'utf8') },
    })
    const server = new X509Certificate(readFileSync(second.files.serverCertificate, 'utf8'))
    expect(server.verify(new X509Certificate(ca.certificate).publicKey)).toBe(true)
  })
})

describe('the members', () => {
  test('are told to agents, and again when they change', async () => {
    const a = await start()
    const identity = await joinScripted(a, 'worker-1')
    const session = await connectScripted(a, identity, { protocolVersion: 2 })
    expect(session.welcome.coordinators).toEqual([a.address()])
    const b = await start()
    await until('the agent has heard of the second one', () => {
      return session.coordinators().join() === [a.address(), b.address()].join()
    })
    const other = await connectScripted(b, await joinScripted(b, 'worker-2'))
    expect(other.welcome.coordinators).toEqual([b.address(), a.address()])
    await b.stop()
    await until('the agent has heard that it has gone', () => {
      return session.coordinators().join() === a.address()
    })
    const { rows } = await sql`select from rota.coordinator`.execute(a.db)
    expect(rows).toHaveLength(1)
    session.cut()
    other.cut()
  })

  test('are shown with the health of the cluster, by each of them', async () => {
    const [a, b] = [await start(), await start()]
    const session = await connectScripted(a, await joinScripted(a, 'worker-1'))
    const shown = async (rota: TestCoordinator) => {
      const { components } = await rota.system.getHealth({})
      return components.filter(({ component }) => component.startsWith('coordinator/'))
    }
    const [own, other] = await until('the agent is counted everywhere', async () => {
      const components = await shown(b)
      return components[1]?.message.includes('1 agent,') && components
    })
    expect(own?.message).toMatch(new RegExp(`^${b.address()}, 0 agents, up .*, answering$`))
    expect(other?.message).toMatch(new RegExp(`^${a.address()}, 1 agent, up `))
    expect((await shown(a)).map(({ component }) => component)).toEqual([
      other?.component,
      own?.component,
    ])
    session.cut()
  })

  test('that died are believed away after a lease', async () => {
    const a = await start()
    await sql`insert into rota.coordinator (id, address, version, protocol_versions, renewed_at)
      values (gen_random_uuid(), 'dead:1', '0', '{1}', clock_timestamp() - interval '11 minutes'),
        (gen_random_uuid(), 'silent:1', '0', '{1}', clock_timestamp() - interval '13 seconds')`.execute(
      a.db,
    )
    await until('the old row is gone', async () => {
      const { rows } = await sql<{ address: string }>`select address from rota.coordinator`.execute(
        a.db,
      )
      return !rows.some(({ address }) => address === 'dead:1') && rows.length === 2
    })
    const session = await connectScripted(a, await joinScripted(a, 'worker-1'))
    expect(session.welcome.coordinators).toEqual([a.address()])
    session.cut()
  })
})

test('jobs run whichever coordinator is asked', async () => {
  const [a, b] = [await start(), await start()]
  await a.addAgent('worker-1')
  await b.createJob('hello', shell('echo hello'))
  const { name } = await b.trigger('hello')
  expect((await b.ended(name)).attempts[0]?.worker).toBe('workers/worker-1')
})

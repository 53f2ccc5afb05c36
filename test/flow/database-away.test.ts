/** What people, agents and jobs notice of faults of PostgreSQL. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { PostgresServer } from '../support/postgres-server.ts'
import { type SinglePostgres, startSinglePostgres } from '../support/replicated-postgres.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

interface Site {
  readonly postgres: SinglePostgres
  readonly rota: TestCoordinator
  /** What the coordinator and the agent log from `info` on. */
  readonly lines: string[]
}

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A coordinator on a PostgreSQL of its own, an agent, and a job `quick`. */
async function startSite(disk: { readonly diskMb?: number } = {}): Promise<Site> {
  const postgres = await startSinglePostgres(disk)
  cleanups.push(postgres.remove)
  const lines: string[] = []
  const write = (line: Buffer, _: string, done: () => void) => {
    lines.push(JSON.parse(line.toString()).msg)
    done()
  }
  const logger = pino({ level: 'info' }, new Writable({ write }))
  const rota = await startTestCoordinator([], { database: postgres.database, logger })
  cleanups.push(rota.remove)
  await rota.addAgent('worker-1')
  await rota.createJob('quick', shell('true'))
  return { postgres, rota, lines }
}

/** Calls that read and calls that write; each must be refused as unavailable, and say nothing of what lies within. */
async function expectRefusals(rota: TestCoordinator): Promise<void> {
  const calls = await Promise.allSettled([
    rota.jobs.listJobs({}),
    rota.jobs.getJob({ name: 'jobs/quick' }),
    rota.workers.listWorkers({}),
    rota.trigger('quick'),
    rota.createJob(`new-${performance.now()}`.replace('.', '-'), shell('true')),
  ])
  for (const call of calls) {
    const error: unknown = call.status === 'rejected' ? call.reason : new Error('it went well')
    expect(error).toBeInstanceOf(RotaError)
    expect(error).toMatchObject({ reason: 'DATABASE_UNAVAILABLE' })
    expect(String(error)).not.toMatch(/select|insert|rota\.|127\.0|pg/i)
  }
}

async function untilServing(rota: TestCoordinator): Promise<void> {
  await until('a job can be triggered', () => rota.trigger('quick').catch(whenUnavailable))
}

function whenUnavailable(error: unknown): undefined {
  if (error instanceof RotaError && error.reason === 'DATABASE_UNAVAILABLE') return undefined
  throw error
}

type Fault = (server: PostgresServer) => Promise<void>

const FAULTS: readonly [string, Fault, Fault][] = [
  ['crashes', (server) => server.kill(), (server) => server.start()],
  ['freezes', (server) => server.freeze(), (server) => server.thaw()],
]

describe.each(FAULTS)('while PostgreSQL %s', (_, fault, repair) => {
  test('every call is refused, one under way too; a running job goes on, and all is as before', async () => {
    const { postgres, rota, lines } = await startSite()
    const flag = join(rota.dataDir, 'go-on')
    await rota.createJob('long', shell(`until [ -e ${flag} ]; do sleep 0.05; done`))
    const { name } = await rota.trigger('long')
    await until('it runs', async () => {
      return (await rota.execution(name)).state === ExecutionState.RUNNING
    })
    lines.splice(0)

    const underWay = rota.trigger('quick').catch(whenUnavailable)
    await fault(postgres.server)
    await underWay
    for (let round = 0; round < 3; round++) await expectRefusals(rota)
    await repair(postgres.server)
    await untilServing(rota)

    await writeFile(flag, '')
    const ended = await rota.ended(name)
    expect(ended.state).toBe(ExecutionState.SUCCEEDED)
    expect(ended.attempts).toHaveLength(1)
    expect(lines.filter((line) => /PostgreSQL|failed|unavailable|broke/.test(line))).toEqual([
      'PostgreSQL is away',
      'PostgreSQL serves again',
    ])
  })
})

test.skipIf(process.getuid?.() !== 0)(
  'while the disk of PostgreSQL is full changes are refused; with room again all that was acknowledged is there',
  async () => {
    const { postgres, rota } = await startSite({ diskMb: 192 })
    const acknowledged: string[] = []
    const ballast = join(postgres.folder, 'ballast')
    await fill(ballast)
    await until('there is no room any more', async () => {
      const job = `filler-${acknowledged.length}`
      const created = await rota
        .createJob(job, shell(`true ${'x'.repeat(50_000)}`))
        .catch(whenUnavailable)
      if (created === undefined) return true
      acknowledged.push(created.name)
      return false
    })
    await rm(ballast)
    await untilServing(rota)
    for (const name of acknowledged) {
      expect((await rota.jobs.getJob({ name })).job?.name).toBe(name)
    }
  },
)

async function fill(file: string): Promise<void> {
  const piece = Buffer.alloc(1024 * 1024)
  try {
    for (;;) await writeFile(file, piece, { flag: 'a' })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

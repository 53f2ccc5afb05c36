/** PostgreSQL goes from a primary to its standby. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Stage } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

async function serveAgain(stage: Stage, sinceMs: number): Promise<number> {
  await stage.whenApiServes()
  await stage.load.client.trigger('by-hand')
  await stage.whenFiring(sinceMs)
  return since(sinceMs)
}

export const syncFailover: Fault = {
  name: 'sync-failover',
  what: 'every process of the primary gets SIGKILL, and the synchronous standby is promoted',
  target: {
    what: 'from the promotion until the API takes a trigger and schedules fire',
    ms: () => 3_000,
  },
  allowsOverlap: 'none',
  shape: { postgres: 'synchronous' },
  wantsOwnCluster: true,
  async run(stage) {
    const { database, postgres } = stage.cluster
    const probe = await stage.probe({ ...stage.bystander, seconds: stage.bystander.seconds + 4 })
    await postgres.kill()
    await database.promoteStandby()
    const recoveryMs = await serveAgain(stage, Date.now())
    return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
  },
}

export const oldPrimaryReturns: Fault = {
  name: 'old-primary-returns',
  what: 'after a failover the old primary starts again, still writable; nobody may use it',
  target: undefined,
  allowsOverlap: 'none',
  shape: { postgres: 'synchronous' },
  wantsOwnCluster: true,
  async run(stage) {
    const { database } = stage.cluster
    const old = database.primary()
    await old.kill()
    await database.promoteStandby()
    await serveAgain(stage, Date.now())
    await old.start({ synchronous_standby_names: '' })
    const before = await countRows(old)
    // Connections are made anew while both are there.
    for (const { databaseSides } of stage.cluster.coordinators) {
      for (const side of databaseSides) side.reset()
    }
    await sleep(stage.leaseMs / 2)
    await serveAgain(stage, Date.now())
    const after = await countRows(old)
    await old.kill()
    const problems = before === after ? [] : [`the old primary got ${after - before} more rows`]
    return { recoveryMs: undefined, problems }
  },
}

async function countRows(server: { query<Row>(sql: string): Promise<Row[]> }): Promise<number> {
  const [row] = await server.query<{ count: number }>(
    'select (select count(*) from rota.occurrence)::int + (select count(*) from rota.attempt)::int as count',
  )
  return row?.count ?? 0
}

export const asyncFailover: Fault = {
  name: 'async-failover',
  what: 'replication stalls, work goes on, the primary is lost: the standby is promoted without the last commits',
  target: {
    what: 'from the promotion until the API takes a trigger and schedules fire',
    ms: () => 3_000,
  },
  allowsOverlap: 'none',
  shape: { postgres: 'asynchronous' },
  wantsOwnCluster: true,
  losesWrites: true,
  async run(stage) {
    const { database, postgres } = stage.cluster
    const running = await stage.probe({ ...stage.bystander, seconds: stage.bystander.seconds + 6 })
    await database.pair?.caughtUp()
    await database.pair?.stallReplication()
    await sleep(1_500)
    await postgres.kill()
    await database.promoteStandby()
    const recoveryMs = await serveAgain(stage, Date.now())
    return { recoveryMs, problems: unless(await running.ended(), 'succeeded', ['succeeded']) }
  },
}

/** Disks that are full. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import { whenAllConnected } from '../cluster/cluster.ts'
import { fillDisk, freeDisk, mountSmallDisk, noSmallDisk } from '../cluster/small-disk.ts'
import { PATIENCE_MS } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

/** Twice what an agent wants to be free before it takes new work. */
const AGENT_DISK_BYTES = 160 * 1024 * 1024

export const agentDiskFull: Fault = {
  name: 'agent-disk-full',
  what: 'the disk of an agent is filled to the last byte while it runs a job, and freed again',
  target: {
    what: 'from the freeing until work that was refused runs (the disk is looked at every 10 s)',
    ms: () => 15_000,
  },
  allowsOverlap: 'none',
  unable: noSmallDisk,
  async run(stage) {
    const { cluster } = stage
    const name = 'worker-small'
    const folder = join(cluster.folder, name)
    await mountSmallDisk(folder, AGENT_DISK_BYTES)
    const agent = await cluster.addAgent(name)
    await agent.start()
    await whenAllConnected(cluster)
    const running = await stage.probe({ seconds: 14, worker: name })
    fillDisk(folder)
    const problems = unless(await running.ended(), 'succeeded', ['succeeded'])
    const { execution } = await stage.load.client.trigger('by-hand', { worker: name })
    await sleep(3_000)
    const isWaiting = await cluster.query(
      `select 1 from rota.execution where id = $1 and state in ('queued', 'assigned')`,
      [execution],
    )
    if (isWaiting.length === 0) problems.push('new work was taken on a full disk')
    freeDisk(folder)
    const startMs = Date.now()
    const life = await until(
      'the refused work runs',
      () => cluster.witness.lives().find((each) => each.execution === execution),
      PATIENCE_MS,
    )
    const recoveryMs = since(startMs, life.registeredMs)
    await until('it has ended', () =>
      cluster
        .query('select 1 from rota.execution_history where id = $1', [execution])
        .then((rows) => rows.length > 0),
    )
    await until('it is tidy', () => agent.isTidy(), PATIENCE_MS)
    await agent.stop()
    return { recoveryMs, problems }
  },
}

export const postgresDiskFull: Fault = {
  name: 'postgres-disk-full',
  what: 'the disk of PostgreSQL is filled to the last byte for half a lease, and freed again',
  target: {
    what: 'from the freeing until the API takes a trigger and schedules fire',
    ms: () => 5_000,
  },
  allowsOverlap: 'at_least_once',
  shape: { postgres: 'small_disk' },
  unable: noSmallDisk,
  async run(stage) {
    const { cluster, load } = stage
    const folder = join(cluster.folder, 'postgres')
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    fillDisk(folder)
    const callsBefore = load.client.calls.length
    await sleep(stage.leaseMs / 2)
    const codes = new Set(load.client.calls.slice(callsBefore).map(({ code }) => code))
    freeDisk(folder)
    // A write-ahead log that finds no room ends PostgreSQL; an operator starts it again.
    if (!(await cluster.postgres.isRunning())) await cluster.postgres.start()
    const startMs = Date.now()
    await load.client.trigger('by-hand')
    await stage.whenFiring(startMs - 1_000)
    const recoveryMs = since(startMs)
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    for (const code of codes) {
      if (!['OK', 'UNAVAILABLE'].includes(code)) problems.push(`the API answered ${code}`)
    }
    return { recoveryMs, problems }
  },
}

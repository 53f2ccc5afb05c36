/** Steady work for a cluster: scheduled jobs, and executions triggered by a client. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '../cluster/cluster.ts'
import { createClient, type LoadClient } from './client.ts'
import { LOAD_JOBS, type LoadJob, PROBES, toSpec } from './load-jobs.ts'

export interface Load {
  readonly jobs: readonly LoadJob[]
  readonly client: LoadClient
  /** Answers that no client should get, whatever the fault. */
  readonly surprises: readonly string[]
  /** No new work any more: schedules are paused, the client triggers nothing. */
  stop(): Promise<void>
}

const TRIGGER_EVERY_MS = 700

export async function startLoad(cluster: Cluster): Promise<Load> {
  const jobs = [...LOAD_JOBS, ...Object.values(PROBES)]
  const [first] = cluster.coordinators
  if (first === undefined) throw new Error('a load needs a coordinator')
  const admin = first.clients()
  const client = createClient(cluster.coordinators)
  for (const job of jobs) {
    await client.createJob(job.name, toSpec(job, cluster.witness))
  }
  const ending = new AbortController()
  const surprises: string[] = []
  const triggering = triggerSteadily(client, { signal: ending.signal, surprises })
  let stopping: Promise<void> | undefined
  const stop = async () => {
    ending.abort()
    await triggering
    for (const { due, name } of jobs) {
      if (due !== undefined) await admin.promised.jobs.pauseJob({ name: `jobs/${name}` })
    }
    admin.close()
  }
  return {
    jobs,
    client,
    surprises,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

async function triggerSteadily(
  client: LoadClient,
  { signal, surprises }: { readonly signal: AbortSignal; readonly surprises: string[] },
): Promise<void> {
  while (!signal.aborted) {
    // A trigger that no coordinator can take yet goes on; the end of the load waits for it.
    try {
      await client.trigger('by-hand')
    } catch (error) {
      surprises.push(`a trigger was answered ${String(error)}`)
    }
    await sleep(TRIGGER_EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

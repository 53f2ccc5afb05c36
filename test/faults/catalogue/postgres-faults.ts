/** What happens to PostgreSQL while it is alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { signal } from '../cluster/proc.ts'
import type { Stage } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

const served = {
  what: 'from its recovery until the API serves and schedules fire',
  ms: () => 2_000,
}
/** The API must not hang: what it may take to say UNAVAILABLE, with a busy machine. */
const ANSWER_MS = 2_500

/** PostgreSQL goes away and comes back; no coordinator ends, no job notices. */
async function loseDatabase(
  stage: Stage,
  how: {
    readonly go: () => Promise<void>
    /** Returns when PostgreSQL could serve again. */
    readonly comeBack: () => Promise<void>
    /** Stays away so long. */
    readonly awayMs: number
  },
) {
  const { coordinators } = stage.cluster
  const pids = coordinators.map(({ process }) => process?.pid)
  const probe = await stage.probe(stage.bystander)
  await how.go()
  const problems = await askWhileAway(stage, how.awayMs)
  await how.comeBack()
  const startMs = Date.now()
  await stage.whenApiServes()
  await stage.whenFiring(startMs - 1_000)
  const recoveryMs = since(startMs)
  const ended = coordinators.filter(({ process }, index) => process?.pid !== pids[index])
  problems.push(...ended.map(({ name }) => `${name} has ended`))
  problems.push(...unless(await probe.ended(), 'succeeded', ['succeeded']))
  return { recoveryMs, problems }
}

/** Every call is answered UNAVAILABLE, soon. */
async function askWhileAway({ cluster, load }: Stage, awayMs: number): Promise<string[]> {
  const problems: string[] = []
  const endMs = performance.now() + awayMs
  // What is under way when it begins may end either way.
  await sleep(200)
  while (performance.now() < endMs) {
    const calls = await Promise.all(cluster.coordinators.map((node) => load.client.ask(node)))
    for (const { code, coordinator, tookMs } of calls) {
      if (code === 'UNAVAILABLE' && tookMs <= ANSWER_MS) continue
      problems.push(`${coordinator} answered ${code} after ${Math.round(tookMs)} ms`)
    }
    await sleep(100)
  }
  return problems
}

export const postgresKilled: Fault = {
  name: 'postgres-killed',
  what: 'SIGKILL of every process of PostgreSQL, and a start after two fifths of a lease',
  target: served,
  allowsOverlap: 'none',
  run: (stage) =>
    loseDatabase(stage, {
      go: () => stage.cluster.postgres.kill(),
      awayMs: stage.leaseMs * 0.4,
      comeBack: () => stage.cluster.postgres.start(),
    }),
}

export const postgresRestarted: Fault = {
  name: 'postgres-restarted',
  what: 'PostgreSQL is stopped in order and started again',
  target: served,
  allowsOverlap: 'none',
  run: (stage) =>
    loseDatabase(stage, {
      go: () => stage.cluster.postgres.stop(),
      awayMs: 2_000,
      comeBack: () => stage.cluster.postgres.start(),
    }),
}

export const postgresFrozen: Fault = {
  name: 'postgres-frozen',
  what: 'SIGSTOP of every process of PostgreSQL for most of a lease, then SIGCONT',
  target: served,
  allowsOverlap: 'none',
  run: (stage) =>
    loseDatabase(stage, {
      go: () => stage.cluster.postgres.freeze(),
      awayMs: stage.leaseMs * 0.8,
      comeBack: () => stage.cluster.postgres.thaw(),
    }),
}

export const postgresDownLong: Fault = {
  name: 'postgres-down-long',
  what: 'SIGKILL of every process of PostgreSQL, and a start after two and a half leases',
  target: served,
  allowsOverlap: 'at_least_once',
  async run(stage) {
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    await stage.cluster.postgres.kill()
    const problems = await askWhileAway(stage, stage.leaseMs * 2.5)
    await stage.cluster.postgres.start()
    const startMs = Date.now()
    await stage.whenApiServes()
    await stage.whenFiring(startMs - 1_000)
    const recoveryMs = since(startMs)
    // Its result was spooled meanwhile, and no lease ends for an outage that is not the agent's.
    problems.push(...unless(await probe.ended(), 'succeeded', ['succeeded']))
    return { recoveryMs, problems }
  },
}

export const postgresBlackHoled: Fault = {
  name: 'postgres-black-holed',
  what: 'nothing passes between the coordinators and PostgreSQL for most of a lease',
  target: served,
  allowsOverlap: 'none',
  run: (stage) =>
    loseDatabase(stage, {
      async go() {
        const rules = { toTarget: { isHeld: true }, fromTarget: { isHeld: true } }
        for (const side of databaseSides(stage)) side.apply(rules)
      },
      awayMs: stage.leaseMs * 0.8,
      async comeBack() {
        for (const side of databaseSides(stage)) side.heal()
      },
    }),
}

function databaseSides({ cluster }: Stage) {
  return cluster.coordinators.flatMap((node) => node.databaseSides)
}

export const postgresReadOnly: Fault = {
  name: 'postgres-read-only',
  what: 'PostgreSQL takes no writes for four seconds, as after a promotion of another one',
  target: {
    what: 'from the end of it until a trigger is taken and schedules fire',
    ms: () => 2_000,
  },
  allowsOverlap: 'none',
  async run(stage) {
    const { cluster, load } = stage
    const probe = await stage.probe(stage.bystander)
    await cluster.postgres.maintain('alter system set default_transaction_read_only = on')
    await cluster.postgres.maintain('select pg_reload_conf()')
    await sleep(4_000)
    await cluster.postgres.maintain('alter system reset default_transaction_read_only')
    await cluster.postgres.maintain('select pg_reload_conf()')
    const startMs = Date.now()
    await load.client.trigger('by-hand')
    await stage.whenFiring(startMs - 1_000)
    const recoveryMs = since(startMs)
    return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
  },
}

export const postgresBackendKilled: Fault = {
  name: 'postgres-backend-killed',
  what: 'SIGKILL of one backend, which makes PostgreSQL restart all of them',
  target: { what: 'until the API serves and schedules fire', ms: () => 4_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const { cluster } = stage
    const probe = await stage.probe(stage.bystander)
    const [backend] = await cluster.query<{ pid: number }>(
      `select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid() limit 1`,
    )
    const startMs = Date.now()
    if (backend !== undefined) signal(backend.pid, 'SIGKILL')
    // The old backends may answer for a moment more.
    await sleep(100)
    await stage.whenApiServes()
    await stage.whenFiring(startMs)
    const recoveryMs = since(startMs)
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    if (backend === undefined) problems.push('no backend was there to be killed')
    return { recoveryMs, problems }
  },
}

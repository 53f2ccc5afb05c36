/** What happens to agents, wardens and whole hosts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../support/until.ts'
import type { AgentNode } from '../cluster/agent.ts'
import { signal } from '../cluster/proc.ts'
import { PATIENCE_MS, type Probe, type Stage } from '../run/stage.ts'
import { type Fault, since, unless } from './fault.ts'

/** From the death of contact to a new attempt: L + G, a sweep, and the assignment; 15 s for 12 s. */
const reassigned = { what: 'until a new attempt runs', ms: (leaseMs: number) => leaseMs + 3_000 }
const GRACE_MS = 2_000
/** A cordon reaches every session so soon, whatever coordinator holds it. */
const CORDON_MS = 2_500
/** Superseded attempts are stopped so soon after contact is back, with the kill grace of the probes. */
const STOPPED_MS = 7_000

export const agentKilled: Fault = {
  name: 'agent-killed',
  what: 'SIGKILL of an agent that runs a job, and a new start at once',
  target: { what: 'from the restart until the job is adopted', ms: () => 3_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe({ seconds: 6 })
    const agent = stage.cluster.agent(await probe.worker())
    await agent.kill()
    const startMs = Date.now()
    agent.launch()
    await whenAdopted(stage, probe, startMs)
    const recoveryMs = since(startMs)
    return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
  },
}

/** Its execution belongs to a session that began after then. */
async function whenAdopted({ cluster }: Stage, probe: Probe, sinceMs: number): Promise<void> {
  const sql = `
    select 1 from rota.execution e join rota.session s on s.id = e.session_id
    where e.id = $1 and e.state = 'running' and s.started_at > to_timestamp($2::float8 / 1000)`
  await until(
    'the execution is adopted',
    async () => (await cluster.query(sql, [probe.execution, sinceMs])).length > 0,
    PATIENCE_MS,
  )
}

export const agentKilledForGood: Fault = {
  name: 'agent-killed-for-good',
  what: 'SIGKILL of an agent; its host lives, and it comes back only after the lease',
  target: reassigned,
  allowsOverlap: 'at_least_once',
  run: (stage) =>
    outOfTouch(stage, {
      async cut(agent) {
        await agent.kill()
      },
      heal: async (agent) => agent.launch(),
    }),
}

export const agentFrozen: Fault = {
  name: 'agent-frozen',
  what: 'SIGSTOP of an agent for longer than its lease, then SIGCONT',
  target: reassigned,
  allowsOverlap: 'at_least_once',
  run: (stage) =>
    outOfTouch(stage, {
      cut: async (agent) => agent.signal('SIGSTOP'),
      heal: async (agent) => agent.signal('SIGCONT'),
    }),
}

interface Cut {
  cut(agent: AgentNode): Promise<void>
  heal(agent: AgentNode): Promise<void>
}

/** An agent is out of touch for longer than its lease while its host lives, with a job of each guarantee. */
export async function outOfTouch(stage: Stage, { cut, heal }: Cut) {
  const seconds = Math.ceil(stage.leaseMs / 1_000) + 12
  const { agent, probes } = await probesTogether(stage, seconds)
  const { loose, exclusive, once } = probes
  const startMs = Date.now()
  await cut(agent)
  const again = await Promise.all([loose.begun(2), exclusive.begun(2)])
  const recoveryMs = Math.max(...again.map(({ beganMs = 0 }) => since(startMs, beganMs)))
  const killed = await Promise.all([exclusive.gone(1), once.gone(1)])
  await heal(agent)
  const healedMs = Date.now()
  const [stopped, ...ends] = await Promise.all([
    loose.gone(1),
    loose.ended(),
    exclusive.ended(),
    once.ended(),
  ])
  const problems = [
    ...unless(ends[0], 'succeeded', ['lost', 'succeeded']),
    ...unless(ends[1], 'succeeded', ['lost', 'succeeded']),
    ...unless(ends[2], 'uncertain', ['lost']),
    ...killed.flatMap(({ endedMs = 0 }, index) =>
      endedMs <= startMs + stage.leaseMs + GRACE_MS
        ? []
        : [
            `${['exclusive', 'at-most-once'][index]}: lived ${since(startMs, endedMs)} ms without contact`,
          ],
    ),
    ...(since(healedMs, stopped.endedMs) <= STOPPED_MS
      ? []
      : [`the superseded attempt lived ${since(healedMs, stopped.endedMs)} ms after the healing`]),
  ]
  return { recoveryMs, problems }
}

/**
 * A probe of each guarantee on one agent. They are not pinned to it, since their next attempts must find another one: the
 * others are cordoned meanwhile.
 */
async function probesTogether(stage: Stage, seconds: number) {
  const { client } = stage.load
  const loose = await stage.probe({ seconds })
  const agent = stage.cluster.agent(await loose.worker())
  const others = stage.cluster.agents.filter(({ name }) => name !== agent.name)
  for (const { name } of others) await client.cordon(name)
  // Sessions learn of it with their next renewal.
  await sleep(CORDON_MS)
  const exclusive = await stage.probe({ seconds, guarantee: 'exclusive' })
  const once = await stage.probe({ seconds, guarantee: 'at_most_once' })
  for (const { name } of others) await client.release(name)
  for (const probe of [exclusive, once]) {
    const worker = await probe.worker()
    if (worker !== agent.name) throw new Error(`a probe came to ${worker}, which is cordoned`)
  }
  await sleep(CORDON_MS)
  return { agent, probes: { loose, exclusive, once } }
}

export const agentStalled: Fault = {
  name: 'agent-stalled',
  what: 'an agent stands still for four fifths of its lease, as an event loop that is busy',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    const agent = stage.cluster.agent(await probe.worker())
    agent.signal('SIGSTOP')
    await sleep(stage.leaseMs * 0.8)
    agent.signal('SIGCONT')
    return {
      recoveryMs: undefined,
      problems: unless(await probe.ended(), 'succeeded', ['succeeded']),
    }
  },
}

export const wardenKilled: Fault = {
  name: 'warden-killed',
  what: 'SIGKILL of the warden of an agent that runs a job',
  target: { what: 'until a new attempt runs, and the old one is gone', ms: () => 5_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    const agent = stage.cluster.agent(await probe.worker())
    const startMs = Date.now()
    const pids = agent.wardenPids()
    for (const pid of pids) signal(pid, 'SIGKILL')
    const [{ beganMs }] = await Promise.all([probe.begun(2), probe.gone(1)])
    return {
      recoveryMs: since(startMs, beganMs),
      problems: [
        ...(pids.length === 1 ? [] : [`${agent.name} had ${pids.length} wardens`]),
        ...unless(await probe.ended(), 'succeeded', ['lost', 'succeeded']),
      ],
    }
  },
}

export const hostFrozen: Fault = {
  name: 'host-frozen',
  what: 'SIGSTOP of agent, warden and jobs for longer than the lease, as a suspended host; then SIGCONT',
  target: reassigned,
  allowsOverlap: 'any',
  async run(stage) {
    const seconds = Math.ceil(stage.leaseMs / 1_000) + 12
    const probe = await stage.probe({ seconds, guarantee: 'exclusive' })
    const agent = stage.cluster.agent(await probe.worker())
    const startMs = Date.now()
    agent.signal('SIGSTOP')
    const frozen = [...agent.wardenPids(), ...agent.jobPids()]
    for (const pid of frozen) signal(pid, 'SIGSTOP')
    const { beganMs } = await probe.begun(2)
    agent.signal('SIGCONT')
    for (const pid of frozen) signal(pid, 'SIGCONT')
    const healedMs = Date.now()
    const { endedMs } = await probe.gone(1)
    const wokeMs = since(healedMs, endedMs)
    return {
      recoveryMs: since(startMs, beganMs),
      problems: [
        ...unless(await probe.ended(), 'succeeded', ['lost', 'succeeded']),
        ...(wokeMs <= STOPPED_MS ? [] : [`the woken attempt lived ${wokeMs} ms more`]),
      ],
    }
  },
}

export const hostLost: Fault = {
  name: 'host-lost',
  what: 'SIGKILL of agent, warden and jobs; the host comes back after the lease',
  target: reassigned,
  allowsOverlap: 'none',
  async run(stage) {
    const [probe, once] = [
      await stage.probe({ seconds: stage.bystander.seconds }),
      await stage.probe({ seconds: 30, guarantee: 'at_most_once' }),
    ]
    const agent = stage.cluster.agent(await probe.worker())
    const isSame = (await once.worker()) === agent.name
    const startMs = Date.now()
    await agent.killHost()
    const { beganMs } = await probe.begun(2)
    const problems = unless(await probe.ended(), 'succeeded', ['lost', 'succeeded'])
    if (isSame) problems.push(...unless(await once.ended(), 'uncertain', ['lost']))
    await agent.start()
    return { recoveryMs: since(startMs, beganMs), problems }
  },
}

export const hostRebooted: Fault = {
  name: 'host-rebooted',
  what: 'SIGKILL of agent, warden and jobs; the agent starts again at once, without its jobs',
  target: { what: 'from the restart until a new attempt runs', ms: () => 5_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe({ seconds: stage.bystander.seconds })
    const agent = stage.cluster.agent(await probe.worker())
    await agent.killHost()
    const startMs = Date.now()
    agent.launch()
    const { beganMs } = await probe.begun(2)
    const problems = unless(await probe.ended(), 'succeeded', ['lost', 'succeeded'])
    return { recoveryMs: since(startMs, beganMs), problems }
  },
}

/** What happens to the network between agents and coordinators. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChaosRules } from '../../support/chaos-proxy.ts'
import { noNamespaces } from '../cluster/namespaces.ts'
import type { Stage } from '../run/stage.ts'
import { outOfTouch } from './agent-faults.ts'
import { type Fault, since, unless } from './fault.ts'

const SILENCE: ChaosRules = { toTarget: { isHeld: true }, fromTarget: { isHeld: true } }

/** For connections of one agent, or of all, at every coordinator. */
function applyEverywhere(stage: Stage, rules: ChaosRules, agent?: string): void {
  for (const { agentSide } of stage.cluster.coordinators) agentSide.apply(rules, agent)
}

function healEverywhere(stage: Stage, agent?: string): void {
  for (const { agentSide } of stage.cluster.coordinators) agentSide.heal(agent)
}

function names({ cluster }: Stage): string[] {
  return cluster.agents.map(({ name }) => name)
}

export const cutShort: Fault = {
  name: 'cut-short',
  what: 'an agent is cut off from every coordinator for half a lease',
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe(stage.bystander)
    const worker = await probe.worker()
    applyEverywhere(stage, SILENCE, worker)
    await sleep(stage.leaseMs / 2)
    healEverywhere(stage, worker)
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    return { recoveryMs: undefined, problems }
  },
}

export const cutLong: Fault = {
  name: 'cut-long',
  what: 'an agent is cut off from every coordinator for longer than its lease',
  target: { what: 'until a new attempt runs', ms: (leaseMs) => leaseMs + 3_000 },
  allowsOverlap: 'at_least_once',
  run: (stage) =>
    outOfTouch(stage, {
      cut: async ({ name }) => applyEverywhere(stage, SILENCE, name),
      heal: async ({ name }) => healEverywhere(stage, name),
    }),
}

export const cutUpward: Fault = {
  name: 'cut-upward',
  what: 'nothing of an agent reaches any coordinator, for longer than its lease',
  target: { what: 'until a new attempt runs', ms: (leaseMs) => leaseMs + 3_000 },
  allowsOverlap: 'at_least_once',
  run: (stage) =>
    outOfTouch(stage, {
      cut: async ({ name }) => applyEverywhere(stage, { toTarget: { isHeld: true } }, name),
      heal: async ({ name }) => healEverywhere(stage, name),
    }),
}

/** The agent is heard until its own connection ends for want of an answer; only then is it lost for a coordinator. */
const KEEPALIVE_MS = 5_000

export const cutDownward: Fault = {
  name: 'cut-downward',
  what: 'nothing of any coordinator reaches an agent, for longer than its lease',
  target: {
    what: 'until a new attempt runs; for up to 5 s more the agent is still heard',
    ms: (leaseMs) => leaseMs + 3_000 + KEEPALIVE_MS,
  },
  allowsOverlap: 'at_least_once',
  run: (stage) =>
    outOfTouch(stage, {
      cut: async ({ name }) => applyEverywhere(stage, { fromTarget: { isHeld: true } }, name),
      heal: async ({ name }) => healEverywhere(stage, name),
    }),
}

export const partition: Fault = {
  name: 'partition',
  what: 'the network of an agent is unplugged for longer than its lease: packets are lost, in both directions',
  target: { what: 'until a new attempt runs', ms: (leaseMs) => leaseMs + 3_000 },
  allowsOverlap: 'at_least_once',
  shape: { network: 'namespaces' },
  unable: noNamespaces,
  run: (stage) =>
    outOfTouch(stage, {
      cut: async ({ name }) => stage.cluster.namespaces?.unplug(name),
      heal: async ({ name }) => stage.cluster.namespaces?.plug(name),
    }),
}

export const halfOpen: Fault = {
  name: 'half-open',
  what: 'every connection of the agents vanishes, and neither end is told',
  target: { what: 'until every agent has a new session', ms: () => 7_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe(stage.bystander)
    const startMs = Date.now()
    for (const { agentSide } of stage.cluster.coordinators) agentSide.abandon()
    await stage.whenRehomed(names(stage), startMs)
    const recoveryMs = since(startMs)
    return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
  },
}

export const resetStorm: Fault = {
  name: 'reset-storm',
  what: 'every connection of the agents is reset, ten times within three seconds',
  target: { what: 'from the last reset until every agent has a new session', ms: () => 3_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe(stage.bystander)
    for (let round = 0; round < 10; round += 1) {
      for (const { agentSide } of stage.cluster.coordinators) agentSide.reset()
      await sleep(300)
    }
    // Those that came back in the last pause are in order already.
    const startMs = Date.now()
    for (const { agentSide } of stage.cluster.coordinators) agentSide.reset()
    await stage.whenRehomed(names(stage), startMs)
    const recoveryMs = since(startMs)
    return { recoveryMs, problems: unless(await probe.ended(), 'succeeded', ['succeeded']) }
  },
}

/** A bad line for everybody, for longer than a lease; no lease may be lost by it. */
function badLine(name: string, rules: ChaosRules, what: string): Fault {
  return {
    name,
    what,
    target: undefined,
    allowsOverlap: 'none',
    async run(stage) {
      applyEverywhere(stage, rules)
      const probe = await stage.probe({
        seconds: Math.ceil((stage.leaseMs * 1.5) / 1_000),
        guarantee: 'exclusive',
      })
      const end = await probe.ended()
      healEverywhere(stage)
      return { recoveryMs: undefined, problems: unless(end, 'succeeded', ['succeeded']) }
    },
  }
}

const slow = { delayMs: 100, jitterMs: 400 }
export const slowNetwork = badLine(
  'slow-network',
  { toTarget: slow, fromTarget: slow },
  'every message takes 100 to 500 ms each way, for longer than a lease',
)

const thin = { bytesPerSecond: 7_000 }
export const drip = badLine(
  'drip',
  { toTarget: thin, fromTarget: thin },
  'every connection of the agents carries 56 kbit/s, for longer than a lease',
)

export const corruption: Fault = {
  name: 'corruption',
  what: 'one chunk in thirty arrives damaged, either way, for a lease',
  target: { what: 'from the end of it until every agent has a session', ms: () => 5_000 },
  allowsOverlap: 'none',
  async run(stage) {
    const damaged = { damageChance: 1 / 30 }
    applyEverywhere(stage, { toTarget: damaged, fromTarget: damaged })
    await sleep(stage.leaseMs)
    healEverywhere(stage)
    const startMs = Date.now()
    await stage.whenRenewed(names(stage), startMs)
    return { recoveryMs: since(startMs), problems: [] }
  },
}

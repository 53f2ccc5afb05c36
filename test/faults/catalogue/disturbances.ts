/** What the soup is made of: things that go wrong at a place for a while, on top of each other. */
import type { ChaosRules } from '../../support/chaos-proxy.ts'
import type { AgentNode } from '../cluster/agent.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { CoordinatorNode } from '../cluster/coordinator.ts'
import { signal } from '../cluster/proc.ts'

/** Ends a disturbance. */
export type Heal = () => Promise<void>

export interface Disturbance {
  readonly name: string
  /** How often it is chosen among the others. */
  readonly weight: number
  /** What it may happen to; two never happen to one place at once. */
  places(cluster: Cluster): readonly string[]
  begin(cluster: Cluster, place: string): Promise<Heal>
}

const agentNames = ({ agents }: Cluster) => agents.map(({ name }) => name)
const coordinatorNames = ({ coordinators }: Cluster) => coordinators.map(({ name }) => name)
const databaseOnly = () => ['postgres']

function onAgent(
  name: string,
  weight: number,
  begin: (agent: AgentNode, cluster: Cluster) => Promise<Heal>,
): Disturbance {
  return {
    ...{ name, weight },
    places: agentNames,
    begin: (cluster, place) => begin(cluster.agent(place), cluster),
  }
}

function onCoordinator(
  name: string,
  weight: number,
  begin: (node: CoordinatorNode) => Promise<Heal>,
): Disturbance {
  return {
    ...{ name, weight },
    places: coordinatorNames,
    async begin({ coordinators }, place) {
      const node = coordinators.find((each) => each.name === place)
      if (node === undefined) throw new Error(`there is no ${place}`)
      return begin(node)
    },
  }
}

/** The network of one agent, at every coordinator. */
function onLine(name: string, weight: number, rules: ChaosRules): Disturbance {
  return onAgent(name, weight, async (agent, { coordinators }) => {
    for (const { agentSide } of coordinators) agentSide.apply(rules, agent.name)
    return async () => {
      for (const { agentSide } of coordinators) agentSide.heal(agent.name)
    }
  })
}

const held = { isHeld: true }
const bad = { delayMs: 100, jitterMs: 800 }

export const DISTURBANCES: readonly Disturbance[] = [
  onAgent('agent killed', 3, async (agent) => {
    await agent.kill()
    return async () => agent.launch()
  }),
  onAgent('agent frozen', 2, async (agent) => {
    agent.signal('SIGSTOP')
    return async () => agent.signal('SIGCONT')
  }),
  onAgent('warden killed', 1, async (agent) => {
    for (const pid of agent.wardenPids()) signal(pid, 'SIGKILL')
    return async () => {}
  }),
  onAgent('host lost', 2, async (agent) => {
    await agent.killHost()
    return async () => agent.launch()
  }),
  onLine('cut', 3, { toTarget: held, fromTarget: held }),
  onLine('cut upward', 1, { toTarget: held }),
  onLine('cut downward', 1, { fromTarget: held }),
  onLine('slow line', 2, { toTarget: bad, fromTarget: bad }),
  onLine('thin line', 1, {
    fromTarget: { bytesPerSecond: 3_000 },
    toTarget: { bytesPerSecond: 3_000 },
  }),
  onLine('damage', 1, { toTarget: { damageChance: 0.03 }, fromTarget: { damageChance: 0.03 } }),
  onAgent('reset', 2, async ({ name }, { coordinators }) => {
    for (const { agentSide } of coordinators) agentSide.reset(name)
    return async () => {}
  }),
  onAgent('half open', 1, async ({ name }, { coordinators }) => {
    for (const { agentSide } of coordinators) agentSide.abandon(name)
    return async () => {}
  }),
  onCoordinator('coordinator killed', 3, async (node) => {
    await node.kill()
    return () => revive(node)
  }),
  onCoordinator('coordinator stopped', 1, async (node) => {
    await node.stop()
    return () => revive(node)
  }),
  onCoordinator('coordinator frozen', 2, async (node) => {
    node.signal('SIGSTOP')
    return async () => node.signal('SIGCONT')
  }),
  onCoordinator('database out of reach', 2, async ({ databaseSides }) => {
    for (const side of databaseSides) side.apply({ toTarget: held, fromTarget: held })
    return async () => {
      for (const side of databaseSides) side.heal()
    }
  }),
  onCoordinator('database connections reset', 1, async ({ databaseSides }) => {
    for (const side of databaseSides) side.reset()
    return async () => {}
  }),
  {
    ...{ name: 'postgres killed', weight: 1, places: databaseOnly },
    async begin({ postgres }) {
      await postgres.kill()
      return () => postgres.start()
    },
  },
  {
    ...{ name: 'postgres frozen', weight: 1, places: databaseOnly },
    async begin({ postgres }) {
      await postgres.freeze()
      return () => postgres.thaw()
    },
  },
]

/** A coordinator that finds no database at its start ends; whatever runs it in production starts it again. */
async function revive(node: CoordinatorNode): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await node.start()
      return
    } catch (error) {
      if (tries === 20) throw error
    }
  }
}

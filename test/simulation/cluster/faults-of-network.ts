import { USUAL_LATENCY_MS } from '../world/virtual-network.ts'
import { LEASE_MS } from './coordinator-node.ts'
import type { FaultContext, FaultKind } from './fault.ts'

function pickPair({ cluster, random }: FaultContext): readonly [string, string] {
  return [random.pick(cluster.agents).name, random.pick(cluster.coordinators).address]
}

function closeFor(
  context: FaultContext,
  links: readonly (readonly [string, string])[],
  delayMs: number,
): boolean {
  const { network } = context.cluster
  for (const [from, to] of links) network.close(from, to)
  context.mendAfter(delayMs, () => {
    for (const [from, to] of links) network.open(from, to)
  })
  return true
}

export const networkFaults: readonly FaultKind[] = [
  {
    name: 'connection reset',
    weight: 3,
    strike({ cluster, random }) {
      const { streams } = cluster.network
      if (streams.length === 0) return false
      random.pick(streams).reset()
      return true
    },
  },
  {
    name: 'half open: the coordinator is not told',
    weight: 2,
    strike({ cluster, random }) {
      const { streams } = cluster.network
      if (streams.length === 0) return false
      random.pick(streams).breakAgent('half open')
      return true
    },
  },
  {
    name: 'a hello is held up',
    weight: 2,
    strike(context) {
      const { cluster, random, mendAfter } = context
      const { network } = cluster
      if (network.streams.length === 0) return false
      const stream = random.pick(network.streams)
      const forget = () => {
        network.onHello = () => {}
      }
      network.onHello = (agent, address) => {
        if (agent !== stream.agent) return
        forget()
        // Longer than its agent waits for the welcome: it says hello elsewhere, and this one arrives when it is served.
        closeFor(context, [[agent, address]], random.span(5_200, 12_000))
      }
      mendAfter(2_000, forget)
      stream.reset()
      return true
    },
  },
  {
    name: 'reset storm',
    weight: 0.5,
    strike({ cluster }) {
      for (const stream of cluster.network.streams) stream.reset()
      return true
    },
  },
  {
    name: 'stall',
    weight: 3,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, address],
          [address, agent],
        ],
        context.random.span(100, 4_000),
      )
    },
  },
  {
    name: 'one way only, up',
    weight: 1,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(context, [[address, agent]], context.random.span(500, 20_000))
    },
  },
  {
    name: 'one way only, down',
    weight: 1,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(context, [[agent, address]], context.random.span(500, 20_000))
    },
  },
  {
    name: 'agent cut off, less than a lease',
    weight: 2,
    strike(context) {
      const [agent] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, '*'],
          ['*', agent],
        ],
        context.random.span(500, 9_000),
      )
    },
  },
  {
    name: 'agent cut off, longer than a lease',
    weight: 3,
    strike(context) {
      const [agent] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, '*'],
          ['*', agent],
        ],
        context.random.span(LEASE_MS, 3 * LEASE_MS),
      )
    },
  },
  {
    name: 'coordinator black-holed',
    weight: 1,
    strike(context) {
      const [, address] = pickPair(context)
      return closeFor(
        context,
        [
          [address, '*'],
          ['*', address],
        ],
        context.random.span(1_000, 20_000),
      )
    },
  },
  {
    name: 'slow network',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const { network } = cluster
      network.latencyMs = { low: 20, high: random.span(100, 900) }
      mendAfter(random.span(1_000, 10_000), () => {
        network.latencyMs = USUAL_LATENCY_MS
      })
      return true
    },
  },
  {
    name: 'cut off for about a lease, with a slow database at its end',
    weight: 1.5,
    strike(context) {
      const { cluster, random, mendAfter } = context
      const [agent] = pickPair(context)
      const cutMs = random.span(LEASE_MS + 1_000, LEASE_MS + 4_000)
      closeFor(
        context,
        [
          [agent, '*'],
          ['*', agent],
        ],
        cutMs,
      )
      context.later(cutMs - 2_000, () => {
        cluster.database.slowness = random.pick([50, 300])
      })
      mendAfter(cutMs + 2_000, () => {
        cluster.database.slowness = 1
      })
      return true
    },
  },
  {
    name: 'a late answer, then cut off',
    weight: 1.5,
    strike(context) {
      const { cluster, random, later, mendAfter } = context
      const { network } = cluster
      const agent = random.pick(cluster.agents).name
      const forget = () => {
        network.onHeartbeat = () => {}
      }
      // The last heartbeat that is heard: its answer arrives as late as keepalives allow, and nothing after it.
      network.onHeartbeat = (who) => {
        if (who !== agent) return
        forget()
        const lateMs = random.span(2_800, 3_900)
        const cutMs = random.span(18_000, 30_000)
        closeFor(context, [[agent, '*']], lateMs + cutMs)
        network.close('*', agent)
        later(lateMs, () => network.open('*', agent))
        later(lateMs + 50, () => network.close('*', agent))
        mendAfter(lateMs + cutMs, () => network.open('*', agent))
      }
      mendAfter(3_000, forget)
      return true
    },
  },
]

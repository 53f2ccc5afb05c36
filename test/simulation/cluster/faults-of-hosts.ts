import type { FaultKind } from './fault.ts'

/** Longer than the sweeps of a lease: the host is given up. */
const LONG_MS = [15_000, 45_000] as const

export const hostFaults: readonly FaultKind[] = [
  {
    name: 'agent killed',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isUp) return false
      agent.kill()
      const downMs = random.chance(0.3) ? random.span(...LONG_MS) : random.span(100, 7_000)
      mendAfter(downMs, () => agent.start())
      return true
    },
  },
  {
    name: 'agent killed between two records',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      const { disk } = agent.host
      if (!agent.isRunning) return false
      const isStored = random.chance(0.5)
      disk.failpoint = { left: random.between(1, 8), isStored, fn: () => agent.kill() }
      mendAfter(random.span(2_000, 7_000), () => {
        disk.failpoint = undefined
        agent.start()
      })
      return true
    },
  },
  {
    name: 'agent killed that nobody hears, on a slow disk',
    weight: 1.5,
    strike({ cluster, random, later, mendAfter }) {
      const agent = random.pick(cluster.agents)
      const { disk } = agent.host
      if (!agent.isRunning) return false
      // Assignments arrive; what it says of them does not, and what it writes down takes long.
      cluster.network.close(agent.name, '*')
      disk.slowness = 600
      later(random.span(300, 3_000), () => agent.kill())
      mendAfter(random.span(3_000, 6_000), () => {
        disk.slowness = 1
        cluster.network.open(agent.name, '*')
        agent.start()
      })
      return true
    },
  },
  {
    name: 'agent frozen',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isRunning) return false
      agent.freeze()
      const frozenMs = random.chance(0.3) ? random.span(...LONG_MS) : random.span(500, 8_000)
      mendAfter(frozenMs, () => agent.thaw())
      return true
    },
  },
  {
    name: 'warden killed',
    weight: 1,
    strike({ cluster, random }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isRunning || agent.host.isSuspended) return false
      agent.host.warden.kill()
      return true
    },
  },
  {
    name: 'agent and warden killed',
    weight: 0.7,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isUp || agent.host.isSuspended) return false
      agent.kill()
      agent.host.warden.kill()
      mendAfter(random.span(100, 20_000), () => agent.start())
      return true
    },
  },
  {
    name: 'host suspended',
    weight: 0.7,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isRunning || agent.host.isSuspended) return false
      agent.host.suspend()
      agent.freeze()
      mendAfter(random.span(3_000, 40_000), () => {
        agent.host.resume()
        agent.thaw()
      })
      return true
    },
  },
  {
    name: 'host lost',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const agent = random.pick(cluster.agents)
      if (!agent.isUp || agent.host.isSuspended) return false
      agent.kill()
      agent.host.crash()
      mendAfter(random.chance(0.5) ? random.span(500, 8_000) : random.span(...LONG_MS), () =>
        agent.start(),
      )
      return true
    },
  },
  {
    name: 'wall clock of a host jumps',
    weight: 1,
    strike({ cluster, random }) {
      const { host } = random.pick(cluster.agents)
      host.wall.offsetMs += random.pick([-3_600_000, -30_000, -500, 500, 30_000, 3_600_000])
      return true
    },
  },
  {
    name: 'slow disk',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const { disk } = random.pick(cluster.agents).host
      disk.slowness = random.pick([20, 100, 600])
      mendAfter(random.span(1_000, 8_000), () => {
        disk.slowness = 1
      })
      return true
    },
  },
  {
    name: 'disk full',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const { disk } = random.pick(cluster.agents).host
      disk.isFull = true
      mendAfter(random.span(500, 10_000), () => {
        disk.isFull = false
      })
      return true
    },
  },
]

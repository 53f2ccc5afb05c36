import type { FaultKind } from './fault.ts'

export const coordinatorFaults: readonly FaultKind[] = [
  {
    name: 'coordinator killed',
    weight: 1.5,
    strike({ cluster, random, mendAfter }) {
      const coordinator = random.pick(cluster.coordinators)
      if (!coordinator.isUp) return false
      coordinator.kill()
      mendAfter(random.span(50, 15_000), () => coordinator.start())
      return true
    },
  },
  {
    name: 'coordinator killed between two awaits',
    weight: 3,
    strike({ cluster, random, mendAfter }) {
      const coordinator = random.pick(cluster.coordinators)
      const { process } = coordinator
      if (!coordinator.isRunning || process === undefined) return false
      cluster.database.failpoints.set(process, {
        left: random.between(1, 40),
        when: random.pick(['before', 'after']),
        fn: () => coordinator.kill(),
      })
      mendAfter(random.span(2_000, 6_000), () => {
        cluster.database.failpoints.delete(process)
        coordinator.start()
      })
      return true
    },
  },
  {
    name: 'coordinator frozen',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const coordinator = random.pick(cluster.coordinators)
      if (!coordinator.isRunning) return false
      coordinator.freeze()
      mendAfter(random.chance(0.3) ? random.span(15_000, 40_000) : random.span(200, 12_000), () =>
        coordinator.thaw(),
      )
      return true
    },
  },
  {
    name: 'all coordinators down',
    weight: 0.3,
    strike({ cluster, random, mendAfter }) {
      for (const coordinator of cluster.coordinators) {
        coordinator.kill()
        mendAfter(random.span(1_000, 30_000), () => coordinator.start())
      }
      return true
    },
  },
  {
    name: 'coordinator stopped',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const coordinator = random.pick(cluster.coordinators)
      if (!coordinator.isRunning) return false
      coordinator.stopGracefully()
      mendAfter(random.span(2_000, 15_000), () => coordinator.start())
      return true
    },
  },
  {
    name: 'wall clock of a coordinator jumps',
    weight: 1,
    strike({ cluster, random }) {
      const coordinator = random.pick(cluster.coordinators)
      coordinator.jumpWallClock(random.pick([-3_600_000, -20_000, 20_000, 3_600_000]))
      return true
    },
  },
]

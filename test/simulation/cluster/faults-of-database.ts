import type { FaultKind } from './fault.ts'

export const databaseFaults: readonly FaultKind[] = [
  {
    name: 'statements fail',
    weight: 2,
    strike({ cluster, random, mendAfter }) {
      const { database } = cluster
      database.faultRate = random.pick([0.02, 0.1, 0.3])
      mendAfter(random.span(500, 6_000), () => {
        database.faultRate = 0
      })
      return true
    },
  },
  {
    name: 'database slow',
    weight: 1.5,
    strike({ cluster, random, mendAfter }) {
      const { database } = cluster
      database.slowness = random.pick([10, 100, 600])
      mendAfter(random.span(500, 8_000), () => {
        database.slowness = 1
      })
      return true
    },
  },
  {
    name: 'answers to COMMIT are late',
    weight: 1.5,
    strike({ cluster, random, mendAfter }) {
      const { database } = cluster
      database.lateCommitRate = random.pick([0.1, 0.3, 0.6])
      mendAfter(random.span(1_000, 12_000), () => {
        database.lateCommitRate = 0
      })
      return true
    },
  },
  {
    name: 'database restarted',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const { database } = cluster
      if (database.mode !== 'up') return false
      database.stop()
      mendAfter(random.span(200, 12_000), () => database.resume())
      return true
    },
  },
  {
    name: 'database frozen',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const { database } = cluster
      if (database.mode !== 'up') return false
      database.freeze()
      mendAfter(random.span(200, 20_000), () => database.resume())
      return true
    },
  },
  {
    name: 'a backend dies',
    weight: 2,
    strike({ cluster, random }) {
      const { process } = random.pick(cluster.coordinators)
      const connections = process === undefined ? [] : cluster.database.connectionsOf(process)
      if (connections.length === 0) return false
      cluster.database.breakConnection(random.pick(connections))
      return true
    },
  },
  {
    name: "the database's clock jumps",
    weight: 0.7,
    strike({ cluster, random }) {
      cluster.database.offsetMs += random.pick([-20_000, -3_000, 3_000, 20_000, 60_000])
      return true
    },
  },
]

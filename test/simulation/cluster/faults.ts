/**
 * Everything that goes wrong, at random: each fault strikes something, lasts a while, and is mended.
 *
 * Every run has its own mixture: whole groups are left out, some kinds are frequent and some rare, so that what one fault
 * would hide (a restart of the database keeps all leases alive) is seen in another run.
 */
import type { SeededRandom } from '../world/seeded-random.ts'
import { tagOf } from '../world/world.ts'
import type { Cluster } from './cluster.ts'
import type { FaultKind } from './fault.ts'
import { coordinatorFaults } from './faults-of-coordinators.ts'
import { databaseFaults } from './faults-of-database.ts'
import { hostFaults } from './faults-of-hosts.ts'
import { messageFaults } from './faults-of-messages.ts'
import { networkFaults } from './faults-of-network.ts'

const FAULT_TAG = tagOf('fault')
/** Between two faults on average, in ms: some three thousand in an hour. */
const FAULT_EVERY_MS = 1_200

interface Mending {
  readonly mend: () => void
}

export class Faults {
  readonly #cluster: Cluster
  readonly #random: SeededRandom
  readonly #kinds: readonly FaultKind[]
  readonly #open = new Set<Mending>()
  readonly counts = new Map<string, number>()
  #isStopped = false
  #quietSinceMs: number | undefined = 0

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.world.random.fork()
    const groups = [networkFaults, messageFaults, hostFaults, coordinatorFaults, databaseFaults]
    const chosen = groups.filter(() => this.#random.chance(0.6))
    const kinds = (chosen.length === 0 ? groups : chosen).flat()
    const weighted = kinds.map((kind) => {
      return { ...kind, weight: kind.weight * this.#random.pick([0, 0.3, 1, 1, 3]) }
    })
    const wanted = weighted.filter(({ weight }) => weight > 0)
    this.#kinds = wanted.length === 0 ? kinds : wanted
    cluster.network.serverPatience = this.#random.pick([1, 1, 4])
    cluster.database.onFault = (kind) => this.#count(kind)
  }

  /** Since when nothing is broken; undefined while something is. */
  get quietSinceMs(): number | undefined {
    return this.#open.size === 0 ? this.#quietSinceMs : undefined
  }

  start(): void {
    this.#later()
  }

  /** No more faults, and everything that is broken is mended. */
  healAll(): void {
    this.#isStopped = true
    for (const { mend } of [...this.#open]) mend()
    const { agents, coordinators, database, network } = this.#cluster
    network.openAll()
    database.faultRate = 0
    database.failpoints.clear()
    database.slowness = 1
    database.lateCommitRate = 0
    for (const agent of agents) {
      agent.host.disk.failpoint = undefined
      agent.thaw()
      agent.start()
    }
    for (const coordinator of coordinators) {
      coordinator.thaw()
      coordinator.start()
    }
    this.#quietSinceMs = this.#cluster.world.nowMs
  }

  #later(): void {
    this.#cluster.world.after(this.#random.exponential(FAULT_EVERY_MS), FAULT_TAG, () => {
      if (this.#isStopped) return
      this.#strike(this.#random.pickWeighted(this.#kinds))
      this.#later()
    })
  }

  #strike(kind: FaultKind): void {
    const { world } = this.#cluster
    const isDone = kind.strike({
      cluster: this.#cluster,
      random: this.#random,
      mendAfter: (delayMs, mend) => this.#mendAfter(delayMs, mend),
      later: (delayMs, fn) => {
        world.after(delayMs, FAULT_TAG, () => {
          if (!this.#isStopped) fn()
        })
      },
    })
    if (!isDone) return
    world.note('FAULT', () => kind.name)
    this.#quietSinceMs = world.nowMs
    this.#count(kind.name)
  }

  #mendAfter(delayMs: number, mend: () => void): void {
    const { world } = this.#cluster
    const mending: Mending = {
      mend: () => {
        if (!this.#open.delete(mending)) return
        this.#quietSinceMs = world.nowMs
        mend()
      },
    }
    this.#open.add(mending)
    world.after(delayMs, FAULT_TAG, mending.mend)
  }

  #count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
  }
}

/**
 * Looks at all addresses at once for the server that may be written to.
 *
 * Q1. A server is taken when it says that it is the primary, of the cluster and the timeline seen before or a newer one,
 *     and has committed something while we waited.
 * Q2. Of two that both say so the one on the newer timeline is taken: the other one does not know yet.
 * Q3. A commit that is not answered is not asked for again at that server until it is: each would hold a backend there.
 */
import type { Clock } from '../../shared/clock.ts'
import type { ServerAddress } from './addresses.ts'
import type { SeenPrimaries } from './seen-primaries.ts'
import { objection, type ServerFacts } from './server-facts.ts'
import { ServerProbe } from './server-probe.ts'

/** A primary, with the connection that it was found by. */
export interface FoundPrimary {
  readonly probe: ServerProbe
  readonly facts: ServerFacts
}

export interface SearchRound {
  readonly found: FoundPrimary | undefined
  /** What was wrong at the addresses that were not taken. */
  readonly refusals: readonly Refusal[]
}

export interface Refusal {
  readonly address: ServerAddress
  readonly why: string
  readonly cause: unknown
}

export class PrimarySearch {
  readonly #addresses: readonly ServerAddress[]
  readonly #clock: Clock
  readonly #seen: SeenPrimaries
  /** Probes whose commit is not answered yet (Q3). */
  readonly #stalled = new Map<ServerAddress, ServerProbe>()

  constructor(addresses: readonly ServerAddress[], seen: SeenPrimaries, clock: Clock) {
    this.#addresses = addresses
    this.#seen = seen
    this.#clock = clock
  }

  /** One look at every address, at most about 3 s. */
  async round(): Promise<SearchRound> {
    const found: FoundPrimary[] = []
    const refusals: Refusal[] = []
    const looks = this.#addresses.map(async (address) => {
      try {
        found.push(await this.#look(address))
      } catch (cause) {
        refusals.push({
          address,
          cause,
          why: cause instanceof Error ? cause.message : String(cause),
        })
      }
    })
    await Promise.all(looks)
    const [newest, ...others] = found.sort(
      (a, b) => (b.facts.timeline ?? 0) - (a.facts.timeline ?? 0),
    )
    for (const { probe } of others) probe.close()
    return { found: newest, refusals }
  }

  /** True when another address leads to a primary on a newer timeline than `current`. */
  async hasNewer(current: FoundPrimary): Promise<boolean> {
    const others = this.#addresses.filter((address) => address !== current.probe.address)
    const looks = await Promise.all(others.map((address) => this.#isNewer(address, current.facts)))
    return looks.includes(true)
  }

  /** Takes a probe back whose server is not used any more. */
  giveBack(probe: ServerProbe): void {
    if (probe.isCommitting) this.#stalled.set(probe.address, probe)
    else probe.close()
  }

  close(): void {
    for (const probe of this.#stalled.values()) probe.close()
    this.#stalled.clear()
  }

  async #look(address: ServerAddress): Promise<FoundPrimary> {
    const fresh = await this.#openFresh(address)
    try {
      const facts = await fresh.readFacts()
      const why = objection(facts, this.#seen.of(facts))
      if (why !== undefined) throw new Error(`${address.name} ${why}`)
      await this.#commitAt(fresh)
      return { probe: fresh, facts }
    } catch (error) {
      this.giveBack(fresh)
      throw error
    }
  }

  /** A server that does not answer at all does not hold a commit either. */
  async #openFresh(address: ServerAddress): Promise<ServerProbe> {
    try {
      return await ServerProbe.open(address, this.#clock)
    } catch (error) {
      this.#forget(address)
      throw error
    }
  }

  async #commitAt(fresh: ServerProbe): Promise<void> {
    const stalled = this.#stalled.get(fresh.address)
    if (stalled?.isCommitting === true) await stalled.commit()
    else await fresh.commit()
    this.#forget(fresh.address)
  }

  #forget(address: ServerAddress): void {
    this.#stalled.get(address)?.close()
    this.#stalled.delete(address)
  }

  async #isNewer(address: ServerAddress, current: ServerFacts): Promise<boolean> {
    let probe: ServerProbe | undefined
    try {
      probe = await ServerProbe.open(address, this.#clock)
      const facts = await probe.readFacts()
      const isSame =
        facts.systemId === current.systemId && objection(facts, undefined) === undefined
      return isSame && (facts.timeline ?? 0) > (current.timeline ?? 0)
    } catch {
      return false
    } finally {
      probe?.close()
    }
  }
}

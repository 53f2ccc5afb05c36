/**
 * Lets agents begin sessions as fast as the database takes it, and no worker more often than it can need.
 *
 * H1. Few hellos (AT_ONCE) are in the database at a time, and RATE begin per second; the others wait in their order.
 * H2. Who would wait longer than an agent waits for its welcome is told at once to come again later.
 * H3. A worker whose sessions replace each other again and again, because two agents have its certificate, is slowed down
 *     to one session in two seconds, long before the others feel it; that the two take turns is evidence.
 */
import type { Hello } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock, Timer } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { KeyedBuckets } from '../../../shared/keyed-buckets.ts'
import { type Rate, TokenBucket } from '../../../shared/token-bucket.ts'
import type { WorkerId } from '../../job/execution.ts'
import { rateLimited } from './call-limits.ts'
import { AT_ONCE } from './turns.ts'

/** A session is one transaction of some milliseconds. */
const RATE: Rate = { perSecond: 200, burst: 50 }
/** Agents wait 5 s for their welcome. */
const WAIT_MS = 3_500
/** Of one worker; an agent on a bad network begins anew twice per second for a while. */
const WORKER: Rate = { perSecond: 0.5, burst: 10 }
/** Boots of one worker that are remembered. */
const BOOTS_MAX = 8
const WORKERS_MAX = 10_000

interface Waiting {
  readonly go: () => void
  readonly timer: Timer
}

export class HelloGate {
  readonly #clock: Clock
  readonly #onImpostor: (workerId: WorkerId, detail: string) => void
  readonly #rate: TokenBucket
  readonly #workers: KeyedBuckets<WorkerId>
  /** The boots that each worker spoke of, the newest last. */
  readonly #boots = new Map<WorkerId, readonly string[]>()
  readonly #waiting = new Set<Waiting>()
  #inside = 0
  #timer: Timer | undefined

  constructor(clock: Clock, onImpostor: (workerId: WorkerId, detail: string) => void) {
    this.#clock = clock
    this.#onImpostor = onImpostor
    this.#rate = new TokenBucket(clock, RATE)
    this.#workers = new KeyedBuckets(clock, WORKER)
  }

  /** Hellos that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Does `open` when it is the hello's turn. Throws RATE_LIMITED or OVERLOADED, with the time to wait. */
  async pass<T>(workerId: WorkerId, hello: Hello, open: () => Promise<T>): Promise<T> {
    this.#lookForImpostor(workerId, hello)
    const waitMs = this.#workers.take(workerId)
    if (waitMs > 0) throw rateLimited('the worker begins sessions too often', waitMs)
    await this.#turn()
    try {
      return await open()
    } finally {
      this.#inside -= 1
      this.#next()
    }
  }

  async #turn(): Promise<void> {
    if (this.#waiting.size >= (RATE.perSecond * WAIT_MS) / 1_000) throw overloaded()
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.after(WAIT_MS, () => {
        this.#waiting.delete(waiting)
        reject(overloaded())
      })
      const waiting: Waiting = { go: resolve, timer }
      this.#waiting.add(waiting)
      this.#next()
    })
  }

  #next(): void {
    this.#timer?.cancel()
    for (const first of this.#waiting) {
      if (this.#inside >= AT_ONCE.hellos) return
      const waitMs = this.#rate.take()
      if (waitMs > 0) {
        this.#timer = this.#clock.after(waitMs, () => this.#next())
        return
      }
      this.#waiting.delete(first)
      first.timer.cancel()
      this.#inside += 1
      first.go()
    }
  }

  /** Every start of an agent is a boot of its own; an earlier one that speaks again never ended. */
  #lookForImpostor(workerId: WorkerId, { bootId, hostname }: Hello): void {
    const boots = this.#boots.get(workerId) ?? []
    if (boots.at(-1) === bootId) return
    if (boots.includes(bootId)) {
      this.#onImpostor(workerId, `two agents use its certificate, one of them on ${hostname}`)
    }
    this.#boots.delete(workerId)
    const others = boots.filter((boot) => boot !== bootId)
    this.#boots.set(workerId, [...others, bootId].slice(-BOOTS_MAX))
    const [oldest] = this.#boots.keys()
    if (this.#boots.size > WORKERS_MAX && oldest !== undefined) this.#boots.delete(oldest)
  }
}

function overloaded(): RotaError {
  const message = 'too many agents begin sessions at once'
  return new RotaError('OVERLOADED', message, { retryAfterMs: 1_000 })
}

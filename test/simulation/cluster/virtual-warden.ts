/**
 * The warden of a host, as agent/warden/ promises it: it has the processes of attempts, their limits and the lease in its
 * care, whatever becomes of the agent.
 *
 * D1. Nothing here waits for the agent. D2. Of one attempt at most one process is started.
 * D3. An end is on the disk before it is told. D4. A guarded attempt gets TERM and KILL at the times of the lease as last
 * told, also when the host was suspended meanwhile.
 * D5. When it is killed, the agent ends what it had: at once, or when it is started again.
 */
import type {
  Exit,
  HeldAttempt,
  LeaseTimes,
  ProcessEnd,
  Started,
  StartOrder,
} from '../../../agent/warden/messages.ts'
import { type StopCause, StopSwitch } from '../../../agent/warden/stop-switch.ts'
import { lostWithWarden, type WardenLink } from '../../../agent/warden/warden-link.ts'
import type { Timer } from '../../../shared/clock.ts'
import { VirtualProcess } from '../world/virtual-process.ts'
import type { World, WorldEvent } from '../world/world.ts'
import type { Life } from './witness.ts'

const LEASE_LOOK_MS = 500
const LEASE_LOST: StopCause = { kind: 'lost', reason: 'no contact with any coordinator' }
/** Until the agent has ended what a dead warden had, in ms. */
const CLEAN_UP_MS = 30

/** A process of a job. */
export interface VirtualJob {
  readonly key: string
  readonly life: Life
  /** It ignores TERM. */
  readonly isDeaf: boolean
  end: Exit | undefined
  onEnd: (end: Exit) => void
  timer: WorldEvent | undefined
}

/** The host as its warden needs it. */
export interface WardenHost {
  readonly name: string
  readonly wall: { offsetMs: number }
  readonly boots: number
  readonly jobs: ReadonlyMap<string, VirtualJob>
  start(key: string): VirtualJob
  signal(job: VirtualJob, signal: 'SIGTERM' | 'SIGKILL'): void
}

interface Ward {
  readonly order: StartOrder
  readonly stop: StopSwitch
  started: Started | undefined
  end: ProcessEnd | undefined
  job: VirtualJob | undefined
}

/** What an agent waits for. */
interface Listener {
  readonly onStarted: (started: Started) => void
  readonly onEnded: (end: ProcessEnd) => void
}

export class VirtualWarden {
  readonly #world: World
  readonly #host: WardenHost
  #process: VirtualProcess
  #lives = 1
  readonly #wards = new Map<string, Ward>()
  /** Its log of ends: they outlive everything. */
  readonly #ends = new Map<string, ProcessEnd>()
  readonly #listeners = new Map<string, Listener>()
  #agent: VirtualProcess | undefined
  #lease: LeaseTimes | undefined
  #leaseTimer: Timer | undefined

  constructor(world: World, host: WardenHost) {
    this.#world = world
    this.#host = host
    this.#process = this.#newProcess()
  }

  /** As the agent of one life knows it. */
  connect(agent: VirtualProcess): WardenLink {
    this.#agent = agent
    this.#listeners.clear()
    const wards = this.#wards
    const adopted = new Map<string, Promise<ProcessEnd>>()
    return {
      open: async (left) => {
        const held = this.#open(left.map(({ key }) => key))
        // What is told from now on must find somebody.
        for (const { key, end } of held.values()) {
          if (end === undefined)
            adopted.set(
              key,
              this.#ended(key, () => {}),
            )
        }
        return held
      },
      start: (order, onStarted) => this.#start(order, onStarted),
      adopt: async ({ key, end }) => {
        return end ?? adopted.get(key) ?? lostWithWarden(undefined, this.#nowMs())
      },
      stop: (key, cause, graceMs) => {
        this.#process.run(() => wards.get(key)?.stop.request(cause, graceMs))
      },
      renewLease: (lease) => {
        this.#process.run(() => {
          this.#lease = lease
          this.#watchLease()
        })
      },
      forget: (key) => {
        if (wards.get(key)?.end !== undefined) wards.delete(key)
        this.#ends.delete(key)
      },
      leave: async () => {},
      quit: async () => {},
    }
  }

  /** SIGKILL of the warden; the agent, if there is one, sees its socket close. */
  kill(): void {
    this.#world.note(this.#process.name, () => 'KILLED')
    this.#process.kill()
    this.#process = this.#newProcess()
    const orphans = [...this.#wards].filter(([, { end }]) => end === undefined)
    this.#wards.clear()
    for (const [, { job }] of orphans) if (job !== undefined) job.life.wasUnguarded = true
    if (this.#agent?.isDead !== false) return
    this.#agent.clock.after(CLEAN_UP_MS, () => {
      for (const [key, { job, started }] of orphans) {
        if (job !== undefined) this.#host.signal(job, 'SIGKILL')
        this.#tell(key, lostWithWarden(started?.startTimeMs, this.#nowMs()))
      }
    })
  }

  suspend(): void {
    this.#process.freeze()
  }

  resume(): void {
    this.#process.thaw()
  }

  /** The host has lost its power; what was on the disk is there. */
  crash(): void {
    this.#process.kill()
    this.#process = this.#newProcess()
    this.#wards.clear()
    this.#listeners.clear()
  }

  #newProcess(): VirtualProcess {
    this.#lives += 1
    return new VirtualProcess(
      this.#world,
      `${this.#host.name}-warden#${this.#lives}`,
      this.#host.wall,
    )
  }

  #nowMs(): number {
    return this.#process.clock.now().getTime()
  }

  /** What a living warden has; of the rest, whose processes are ended, what had been written down. */
  #open(left: readonly string[]): ReadonlyMap<string, HeldAttempt> {
    const held = new Map<string, HeldAttempt>()
    for (const [key, { end, started }] of this.#wards) held.set(key, { key, started, end })
    for (const key of left) {
      if (held.has(key)) continue
      const job = this.#host.jobs.get(key)
      if (job !== undefined) this.#host.signal(job, 'SIGKILL')
      const end = this.#ends.get(key)
      if (end !== undefined) held.set(key, { key, started: undefined, end })
    }
    return held
  }

  #start(order: StartOrder, onStarted: (started: Started) => void): Promise<ProcessEnd> {
    this.#process.run(() => {
      if (this.#wards.has(order.key)) return
      const ward: Ward = {
        order,
        stop: new StopSwitch(),
        started: undefined,
        end: undefined,
        job: undefined,
      }
      this.#wards.set(order.key, ward)
      this.#watchLease()
      this.#process.clock.after(1, () => this.#begin(ward))
    })
    return this.#ended(order.key, onStarted)
  }

  #ended(key: string, onStarted: (started: Started) => void): Promise<ProcessEnd> {
    return new Promise((onEnded) => {
      this.#listeners.set(key, { onStarted, onEnded })
    })
  }

  #begin(ward: Ward): void {
    const { order, stop } = ward
    if (stop.cause !== undefined) {
      this.#finish(ward, { kind: 'not_started', message: 'stopped' })
      return
    }
    const job = this.#host.start(order.key)
    ward.job = job
    const process = { pid: 1, startTicks: order.key, bootId: String(this.#host.boots) }
    const started: Started = { process, startTimeMs: this.#nowMs() }
    ward.started = started
    const { clock } = this.#process
    const { timeoutMs, killGraceMs } = order
    const timer = clock.after(timeoutMs ?? Number.POSITIVE_INFINITY, () => {
      stop.request({ kind: 'timeout', timeoutMs: timeoutMs ?? 0 }, killGraceMs)
    })
    let killing: Timer | undefined
    stop.onRequest((graceMs) => {
      if (killing === undefined) this.#host.signal(job, 'SIGTERM')
      killing?.cancel()
      killing = clock.after(graceMs, () => this.#host.signal(job, 'SIGKILL'))
    })
    const own = this.#process
    job.onEnd = (end) =>
      own.run(() => {
        timer.cancel()
        killing?.cancel()
        this.#finish(ward, end)
      })
    this.#toAgent(() => this.#listeners.get(order.key)?.onStarted(started))
  }

  #finish(ward: Ward, exit: ProcessEnd['exit']): void {
    ward.stop.close()
    const end: ProcessEnd = {
      exit,
      cause: ward.stop.cause,
      startTimeMs: ward.started?.startTimeMs,
      endTimeMs: this.#nowMs(),
      usage: {},
    }
    // Written and synced, then told (D3).
    this.#process.clock.after(2, () => {
      ward.end = end
      this.#ends.set(ward.order.key, end)
      this.#tell(ward.order.key, end)
    })
  }

  #tell(key: string, end: ProcessEnd): void {
    this.#toAgent(() => {
      const listener = this.#listeners.get(key)
      this.#listeners.delete(key)
      listener?.onEnded(end)
    })
  }

  #toAgent(fn: () => void): void {
    const agent = this.#agent
    agent?.run(() => {
      if (agent === this.#agent) fn()
    })
  }

  /** As Warden.#watchLease. */
  #watchLease(): void {
    this.#leaseTimer?.cancel()
    const guarded = [...this.#wards.values()].filter(
      ({ end, order }) => end === undefined && order.isGuarded,
    )
    if (guarded.length === 0) return
    const { nowMs } = this.#world
    const { termAtMs, killAtMs } = this.#lease ?? { termAtMs: nowMs, killAtMs: nowMs }
    if (nowMs >= termAtMs) {
      const graceMs = Math.max(0, killAtMs - nowMs)
      for (const { stop } of guarded) stop.request(LEASE_LOST, graceMs)
    }
    const nextMs = nowMs < termAtMs ? termAtMs - nowMs : killAtMs - nowMs
    const delayMs = nextMs > 0 ? Math.min(nextMs, LEASE_LOOK_MS) : LEASE_LOOK_MS
    this.#leaseTimer = this.#process.clock.after(delayMs, () => this.#watchLease())
  }
}

/**
 * What has the processes of attempts in its care: starts them, stops them, watches their limits, and keeps how they
 * ended until the agent has written it down.
 *
 *   unknown -> running -> ended -> (forgotten)
 *
 * D1. Nothing here waits for the agent: limits, graces and the lease are kept whether it lives, hangs or is gone.
 * D2. Of one attempt at most one process is ever started.
 * D3. An end is in the log of ends before it is told: what the death of both processes would lose otherwise. Of a guarded attempt
 *     it is synced too; of the others the journal of the agent has it on the disk before anybody else hears of it.
 * D4. A guarded attempt gets TERM and KILL at the times of the lease as last told, on a clock that counts suspend too.
 *     Without a lease it is not begun.
 * D5. One is started per turn, for that takes as long as all else about a short command: what has ended meanwhile does not
 *     wait for all that are to be started.
 */
import type { Clock, Timer } from '../../shared/clock.ts'
import { attemptFolder } from './attempt-folder.ts'
import type { Cgroups } from './cgroups.ts'
import type { EndLog } from './end-log.ts'
import { type JobProcessEnd, runJobProcess } from './job-process.ts'
import { ProcessSweeper } from './kill-processes.ts'
import type { HeldAttempt, LeaseTimes, ProcessEnd, Started, StartOrder } from './messages.ts'
import { type StopCause, StopSwitch } from './stop-switch.ts'
import { watchLimits } from './watch-limits.ts'

/** How far ahead the end of the lease is timed: timers do not count suspend. */
const LEASE_LOOK_MS = 500
const LEASE_LOST: StopCause = { kind: 'lost', reason: 'no contact with any coordinator' }

export interface WardenOptions {
  readonly clock: Clock
  /** See boot-clock.ts. */
  readonly readBootMs: () => number
  readonly bootId: string
  readonly attemptsDir: string
  readonly ends: EndLog
  readonly cgroups: Cgroups | undefined
  readonly listener: WardenListener
}

export interface WardenListener {
  readonly onStarted: (key: string, started: Started) => void
  readonly onEnded: (key: string, end: ProcessEnd) => void
  /** Something is wrong that no attempt can tell of. */
  readonly onTrouble: (what: string, error: unknown) => void
}

interface WardAttempt extends Pick<StartOrder, 'isGuarded' | 'killGraceMs'> {
  readonly stop: StopSwitch
  /** Resolves when nothing of it lives and its end is told. */
  readonly done: PromiseWithResolvers<void>
  started: Started | undefined
  end: ProcessEnd | undefined
}

export class Warden {
  readonly #options: WardenOptions
  readonly #attempts = new Map<string, WardAttempt>()
  readonly #sweeper: ProcessSweeper
  /** To be started (D5). */
  readonly #waiting: (() => void)[] = []
  #lease: LeaseTimes | undefined
  #leaseTimer: Timer | undefined
  /** Set once nothing may be started any more. */
  #closedFor: StopCause | undefined

  constructor(options: WardenOptions) {
    this.#options = options
    this.#sweeper = new ProcessSweeper(options.clock)
    for (const [key, end] of options.ends.ends()) this.#attempts.set(key, endedBefore(end))
  }

  /** Attempts that run. */
  get liveCount(): number {
    return this.#live().length
  }

  list(): readonly HeldAttempt[] {
    return [...this.#attempts].map(([key, { started, end }]) => ({ key, started, end }))
  }

  /** Starts the process of an attempt; a second order for it changes nothing (D2). */
  start(order: StartOrder): void {
    if (this.#attempts.has(order.key)) return
    const { isGuarded, killGraceMs } = order
    const attempt: WardAttempt = {
      ...{ isGuarded, killGraceMs },
      stop: new StopSwitch(),
      done: Promise.withResolvers(),
      started: undefined,
      end: undefined,
    }
    this.#attempts.set(order.key, attempt)
    if (this.#closedFor !== undefined) attempt.stop.request(this.#closedFor, 0)
    if (isGuarded) this.#watchLease()
    this.#waiting.push(() => void this.#run(order, attempt))
    if (this.#waiting.length === 1) setImmediate(() => this.#startNext())
  }

  /** Asks an attempt to end; nothing happens when it does not run. */
  stop(key: string, cause: StopCause, graceMs: number): void {
    this.#attempts.get(key)?.stop.request(cause, graceMs)
  }

  /** What the coordinators were last heard to grant. */
  renewLease(lease: LeaseTimes): void {
    this.#lease = lease
    this.#watchLease()
  }

  /** The agent has the end in its journal. */
  forget(key: string): void {
    if (this.#attempts.get(key)?.end === undefined) return
    this.#attempts.delete(key)
    this.#options.ends.forget(key)
  }

  /** Asks all to end, in `graceMaxMs` at most, and begins nothing more; resolves when they have ended. */
  async close(cause: StopCause, graceMaxMs: number): Promise<void> {
    this.#closedFor ??= cause
    for (const { killGraceMs, stop } of this.#live()) {
      stop.request(cause, Math.min(killGraceMs, graceMaxMs))
    }
    while (this.liveCount > 0) await Promise.all(this.#live().map(({ done }) => done.promise))
  }

  #live(): readonly WardAttempt[] {
    return [...this.#attempts.values()].filter(({ end }) => end === undefined)
  }

  #startNext(): void {
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(() => this.#startNext())
  }

  /** Its order, with the secrets of its environment, is not kept beyond the end. */
  async #run(order: StartOrder, attempt: WardAttempt): Promise<void> {
    const { clock, ends, listener } = this.#options
    const { stop } = attempt
    const ran = await this.#runProcess(order, attempt)
    stop.close()
    const end: ProcessEnd = {
      ...ran,
      cause: stop.cause,
      startTimeMs: attempt.started?.startTimeMs,
      endTimeMs: clock.now().getTime(),
    }
    try {
      await ends.write({ key: order.key, end, isDurable: order.isGuarded })
    } catch (error) {
      // Told all the same: only the loss of both processes before the journal has it would lose it.
      listener.onTrouble(`the end of ${order.key} could not be written`, error)
    }
    attempt.end = end
    listener.onEnded(order.key, end)
    attempt.done.resolve()
  }

  /** Never rejects. */
  async #runProcess(order: StartOrder, attempt: WardAttempt): Promise<JobProcessEnd> {
    const { attemptsDir, bootId, cgroups, clock, ends } = this.#options
    const { stop } = attempt
    try {
      ends.reserve(order.key)
    } catch (error) {
      return notStarted(`there is no room for its end: ${describe(error)}`)
    }
    // It may have been told to stop, or the lease may have ended, meanwhile.
    if (stop.cause !== undefined) return notStarted('stopped')
    let unwatch = () => {}
    const end = await runJobProcess({
      ...{ order, attemptsDir, clock, bootId, stop },
      sweeper: this.#sweeper,
      cgroup: cgroups?.create(order.key),
      onStarted: (process) => {
        attempt.started = { process, startTimeMs: clock.now().getTime() }
        unwatch = this.#watchLimits(order, stop)
        this.#options.listener.onStarted(order.key, attempt.started)
      },
    })
    unwatch()
    return end
  }

  #watchLimits(order: StartOrder, stop: StopSwitch): () => void {
    const { attemptsDir, clock } = this.#options
    const { stdout, stderr } = attemptFolder(attemptsDir, order.key)
    const { killGraceMs, timeoutMs } = order
    return watchLimits({ clock, stop, timeoutMs, killGraceMs, outputFiles: [stdout, stderr] })
  }

  /** D4. Looks while there is something to guard. */
  #watchLease(): void {
    const { clock, readBootMs } = this.#options
    this.#leaseTimer?.cancel()
    const guarded = this.#live().filter(({ isGuarded }) => isGuarded)
    if (guarded.length === 0) return
    const nowMs = readBootMs()
    const { termAtMs, killAtMs } = this.#lease ?? { termAtMs: nowMs, killAtMs: nowMs }
    if (nowMs >= termAtMs) {
      const graceMs = Math.max(0, killAtMs - nowMs)
      for (const { stop } of guarded) stop.request(LEASE_LOST, graceMs)
    }
    const nextMs = nowMs < termAtMs ? termAtMs - nowMs : killAtMs - nowMs
    const delayMs = nextMs > 0 ? Math.min(nextMs, LEASE_LOOK_MS) : LEASE_LOOK_MS
    this.#leaseTimer = clock.after(delayMs, () => this.#watchLease())
  }
}

/** As a warden before this one has written it down. */
function endedBefore(end: ProcessEnd): WardAttempt {
  const done = Promise.withResolvers<void>()
  done.resolve()
  const stop = new StopSwitch()
  stop.close()
  return { isGuarded: false, killGraceMs: 0, stop, done, started: undefined, end }
}

function notStarted(message: string): JobProcessEnd {
  return { exit: { kind: 'not_started', message }, usage: {} }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/**
 * A process of the development cluster, under watch.
 *
 * C1. At most one process of it lives.
 * C2. One that ends by itself is started again after 1 s, 2 s, 4 s, up to 30 s; after a minute of life from 1 s again.
 * C3. After `stop` has resolved, none of it runs, and none is started.
 * C4. It has a process group of its own, so that Ctrl-C reaches only us and the order of stopping is ours. It ends by
 *     itself when we are killed, for then its IPC channel closes.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { type Backoff, backoffDelayMs } from '../../shared/backoff.ts'
import { type Clock, sleep } from '../../shared/clock.ts'
import type { Program } from '../../shared/programs.ts'
import { emptyLog, openLog } from './child-log.ts'

/** What a child is and how it is started. */
export interface ChildPlan {
  readonly name: string
  readonly program: Program
  readonly logFile: string
  /** Asks it to end. */
  readonly stopSignal: NodeJS.Signals
  /** Asked before each start. */
  readonly prepare: () => Promise<Launch>
  /** Told of each process that ended by itself: how, and in how many ms the next one is started. */
  readonly onEnd: (end: string, restartMs: number) => void
}

/** How one process is started. */
export interface Launch {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

const RESTART: Backoff = { delayMs: 1_000, maxDelayMs: 30_000, multiplier: 2, jitter: 0 }
const STEADY_MS = 60_000

/** Starts with `start`, ends with `stop`, and is used once. */
export class Child {
  /** The first line of JSON that it printed: it serves. */
  readonly ready: Promise<unknown>
  /** How the first process ended. */
  readonly firstEnd: Promise<string>
  readonly #plan: ChildPlan
  readonly #clock: Clock
  readonly #stopping = new AbortController()
  readonly #resolveReady: (message: unknown) => void
  readonly #resolveFirstEnd: (end: string) => void
  #process: ChildProcess | undefined
  #life: Promise<void> | undefined

  constructor(plan: ChildPlan, clock: Clock) {
    this.#plan = plan
    this.#clock = clock
    const ready = Promise.withResolvers<unknown>()
    const firstEnd = Promise.withResolvers<string>()
    this.ready = ready.promise
    this.firstEnd = firstEnd.promise
    this.#resolveReady = ready.resolve
    this.#resolveFirstEnd = firstEnd.resolve
  }

  /** As in the plan. */
  get name(): string {
    return this.#plan.name
  }

  /** As in the plan. */
  get logFile(): string {
    return this.#plan.logFile
  }

  /** Begins with an empty log. */
  start(): void {
    emptyLog(this.#plan.logFile)
    this.#life ??= this.#live()
  }

  /** Asks it to end and waits; kills it after `graceMs`, or as soon as `force` aborts. */
  async stop(graceMs: number, force: AbortSignal): Promise<'ended' | 'killed'> {
    this.#stopping.abort()
    this.#process?.kill(this.#plan.stopSignal)
    const ended = new AbortController()
    const life = Promise.resolve(this.#life).finally(() => ended.abort())
    await sleep(this.#clock, graceMs, AbortSignal.any([ended.signal, force]))
    const isInTime = ended.signal.aborted
    if (!isInTime) this.#process?.kill('SIGKILL')
    await life
    return isInTime ? 'ended' : 'killed'
  }

  async #live(): Promise<void> {
    const { signal } = this.#stopping
    for (let failures = 1; !signal.aborted; failures++) {
      const startedMs = this.#clock.monotonicMs()
      const end = await this.#runOnce()
      this.#resolveFirstEnd(end)
      if (signal.aborted) return
      if (this.#clock.monotonicMs() - startedMs > STEADY_MS) failures = 1
      const restartMs = backoffDelayMs(RESTART, failures, 0)
      this.#plan.onEnd(end, restartMs)
      await sleep(this.#clock, restartMs, signal)
    }
  }

  /** Resolves with how it ended; never rejects. */
  async #runOnce(): Promise<string> {
    try {
      const launch = await this.#plan.prepare()
      if (this.#stopping.signal.aborted) return 'stopped'
      const child = this.#fork(launch)
      this.#process = child
      const [code, signal] = await once(child, 'exit')
      return signal === null ? `exit code ${code}` : String(signal)
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      this.#process = undefined
    }
  }

  #fork({ args, env }: Launch): ChildProcess {
    const log = openLog(this.#plan.logFile)
    try {
      const { program } = this.#plan
      const child = fork(program.script, args, {
        detached: true,
        env,
        execArgv: [...program.nodeFlags],
        stdio: ['ignore', 'pipe', log, 'ipc'],
      })
      if (child.stdout !== null) this.#listen(child.stdout)
      return child
    } finally {
      closeSync(log)
    }
  }

  #listen(stdout: Readable): void {
    createInterface({ input: stdout }).on('line', (line) => {
      try {
        this.#resolveReady(JSON.parse(line))
      } catch {
        // Only lines of JSON are meant for us.
      }
    })
  }
}

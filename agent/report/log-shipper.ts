/**
 * Ships what running attempts write to the coordinator, and what is left when they have ended.
 *
 * G1. Control is never delayed by output: logs have a connection of their own, open only while there is something to ship.
 * G2. Offsets are bytes of the attempt's own files, so anything may be sent again; the coordinator says where to go on.
 * G3. `settle` fixes what is kept and what is dropped when the attempt ends, before everything is shipped.
 * G4. Nothing polls while nothing runs and everything is shipped. What ends without any output costs no round.
 */
import type { PushLogsResponse } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { type Clock, sleep } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Random } from '../../shared/random.ts'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import { type AttemptRef, attemptKey } from './attempt-ref.ts'
import { FollowedLog, type LogSource, type SettledLog } from './followed-log.ts'
import type { LogShare, OutputName } from './log-budget.ts'
import { LogPush, type LogTarget, type RefusedPush } from './log-push.ts'

/** How often the files of running attempts are looked at, in ms. */
const POLL_MS = 200
/** A round although nothing is known to do, in ms. */
const IDLE_MS = 60_000
/** Of an attempt without output. */
export const NOTHING_WRITTEN: SettledLog = {
  share: { stdoutBytes: 0, stderrBytes: 0 },
  keptBytes: 0,
  droppedBytes: 0,
}
const OUTPUTS = ['stdout', 'stderr'] as const

export interface LogShipperOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly random: Random
  /** The output reached its cap: the share is final. */
  readonly onCapped: (ref: AttemptRef, share: LogShare) => void
  /** Everything that is kept of an ended attempt is stored, or given up. */
  readonly onShipped: (ref: AttemptRef) => void
}

export class LogShipper implements Service {
  readonly #options: LogShipperOptions
  readonly #ticker: Ticker
  readonly #push: LogPush
  readonly #logs = new Map<string, FollowedLog>()
  /** Attempts whose cap was told already. */
  readonly #capped = new Set<string>()
  #measuredAtMs = Number.NEGATIVE_INFINITY
  /** The next round is far away. */
  #isIdle = true

  constructor(options: LogShipperOptions) {
    this.#options = options
    this.#ticker = new Ticker({ name: 'logs', ...options, runOnce: () => this.#round() })
    this.#push = new LogPush({
      ...options,
      onAnswer: (answer) => this.#answered(answer),
      onLost: (refused) => this.#lost(refused),
    })
  }

  start(): Promise<void> {
    return this.#ticker.start()
  }

  async stop(): Promise<void> {
    const stopped = this.#ticker.stop()
    // Ends a write that waits for a slow peer.
    this.#push.connect(undefined)
    await stopped
  }

  /** Where logs go from now on; undefined while there is no session. */
  connect(target: LogTarget | undefined): void {
    this.#push.connect(target)
    this.#ticker.wake()
  }

  /** Ships what the attempt writes until it is settled. */
  follow(source: LogSource): void {
    this.#logs.set(attemptKey(source), new FollowedLog(source))
    if (source.share !== undefined) this.#capped.add(attemptKey(source))
    if (this.#isIdle || source.hasEnded) this.#ticker.wake()
    this.#isIdle = false
  }

  /** The attempt has ended: decides what is kept of its output. */
  settle(ref: AttemptRef): SettledLog {
    const log = this.#logs.get(attemptKey(ref))
    if (log === undefined) return NOTHING_WRITTEN
    const settled = log.settle()
    if (log.isDone) this.#forget(log)
    else this.#ticker.wake()
    return settled
  }

  /** Resolves when all that ended attempts wrote is shipped, or there is no session, or after `timeoutMs`. */
  async shipped(timeoutMs: number): Promise<void> {
    const { clock } = this.#options
    const endMs = clock.monotonicMs() + timeoutMs
    while (this.#logs.size > 0 && this.#push.isReady && clock.monotonicMs() < endMs) {
      await sleep(clock, POLL_MS / 4)
    }
  }

  /** One chunk of each output that has one, so that nobody's flood delays another's line. */
  async #round(): Promise<number> {
    this.#measure()
    let isMoving = false
    for (const log of this.#logs.values()) {
      if (await this.#shipOf(log)) isMoving = true
      this.#conclude(log)
    }
    if (isMoving) return 0
    this.#push.closeIdle()
    this.#isIdle = this.#logs.size === 0
    return this.#isIdle ? IDLE_MS : POLL_MS
  }

  /** Answers wake the loop often; the files are looked at only as often as they are polled. */
  #measure(): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - this.#measuredAtMs < POLL_MS) return
    this.#measuredAtMs = nowMs
    for (const log of this.#logs.values()) {
      log.checkOverdue(nowMs)
      log.measure()
    }
  }

  async #shipOf(log: FollowedLog): Promise<boolean> {
    let isMoving = false
    for (const output of OUTPUTS) {
      const nowMs = this.#options.clock.monotonicMs()
      const chunk = this.#push.isReady ? await log.nextChunk(output, nowMs) : undefined
      if (chunk === undefined) continue
      const { execution, epoch } = log.source
      const isSent = await this.#push.write({
        execution,
        epoch,
        stream: output === 'stdout' ? LogStream.STDOUT : LogStream.STDERR,
        offset: BigInt(chunk.offset),
        data: chunk.data,
        logTime: this.#options.clock.now(),
      })
      if (isSent) log.sent(chunk, nowMs)
      isMoving ||= isSent
    }
    return isMoving
  }

  #conclude(log: FollowedLog): void {
    const key = attemptKey(log.source)
    const { cappedShare } = log
    if (cappedShare !== undefined && !this.#capped.has(key)) {
      this.#capped.add(key)
      this.#options.onCapped(log.source, cappedShare)
    }
    if (log.isDone) this.#forget(log)
  }

  #forget(log: FollowedLog): void {
    const { execution, epoch } = log.source
    // Its end may have come while a round was under way.
    if (!this.#logs.delete(attemptKey(log.source))) return
    const why = log.givenUp
    if (why !== undefined) {
      this.#options.logger.warn({ execution, epoch: String(epoch), why }, 'output is given up')
    }
    this.#capped.delete(attemptKey(log.source))
    this.#options.onShipped(log.source)
  }

  #answered(answer: PushLogsResponse): void {
    const nowMs = this.#options.clock.monotonicMs()
    const log = this.#logs.get(attemptKey(answer))
    log?.answered(outputOf(answer), Number(answer.offset), nowMs)
    this.#ticker.wake()
  }

  /** What was not answered is sent again; what the coordinator refused is held back, or given up. */
  #lost(refused: RefusedPush | undefined): void {
    for (const log of this.#logs.values()) log.reconnected()
    if (refused === undefined) return
    const { place, error } = refused
    const log = this.#logs.get(attemptKey(place))
    log?.refused(outputOf(place), error, this.#options.clock.monotonicMs())
  }
}

function outputOf({ stream }: { readonly stream: LogStream }): OutputName {
  return stream === LogStream.STDOUT ? 'stdout' : 'stderr'
}

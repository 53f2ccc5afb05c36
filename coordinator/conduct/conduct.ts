/**
 * Keeps an eye on agents: what they do wrong is counted, and who goes too far is refused for a while.
 *
 * B1. Every message that is refused is counted for its worker, in memory at once and in the database soon.
 * B2. Patience is a bucket per worker (judge-conduct.ts); when it is empty all streams of the worker end, and the
 *     database says until when it is quarantined: no coordinator authenticates it before (identity/principal.ts).
 * B3. Quarantines in a row grow, and the third one cordons the worker, with the evidence.
 * B4. What is kept in memory is bounded by WORKERS_MAX.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'
import { KeyedBuckets } from '../../shared/keyed-buckets.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { WorkerId } from '../job/execution.ts'
import { classifyAttempts, type NamedAttempt } from './classify-queries.ts'
import { addRefusals, quarantineWorker } from './conduct-queries.ts'
import {
  describeOffences,
  FORGIVEN_AFTER_MS,
  isHopeless,
  isRefused,
  type Offence,
  PATIENCE,
  quarantineMs,
  WEIGHTS,
} from './judge-conduct.ts'

export interface OffenceNote {
  readonly offence: Offence
  readonly count?: number
  /** What exactly, of the last one. */
  readonly detail: string
}

export interface JudgedWorker {
  readonly workerId: WorkerId
  readonly workerName: string
}

export interface Conduct {
  /** Notes what the agent of a worker did. May end its streams before it returns. */
  note(workerId: WorkerId, note: OffenceNote): void
  /**
   * Notes that an agent spoke of attempts that are not its to run: most had only just ceased to be, some never were. Never
   * rejects: what the agent said is dealt with already.
   */
  readonly noteAttempts: (worker: JudgedWorker, attempts: readonly NamedAttempt[]) => Promise<void>
  /** Ends this stream when the worker is quarantined; the answer stops that. */
  watch(workerId: WorkerId, end: (error: RotaError) => void): () => void
  /** Writes the counts. */
  readonly loop: Ticker
}

interface Record_ {
  readonly counts: Partial<Record<Offence, number>>
  /** Not yet in the database. */
  refused: number
  stale: number
  loggedAtMs: number
  isSentenced: boolean
}

const SENTENCE = {
  forgivenAfterMs: FORGIVEN_AFTER_MS,
  lengthsMs: Array.from({ length: 10 }, (_, index) => quarantineMs(index + 1)),
}
/** Attempts that are looked up at once; of more only the number is noted. */
const LOOKED_UP_MAX = 1_000
const WORKERS_MAX = 10_000
const FLUSH_MS = 2_000
/** How often one worker is complained about, in ms. */
const LOG_MS = 10_000
/** Of the evidence that is kept, in characters. */
const DETAIL_LENGTH_MAX = 300

export interface ConductDeps extends Pick<Deps, 'db' | 'clock' | 'logger'> {
  /** From the control of workers: no new work for this one until somebody has looked. */
  readonly cordon: (worker: string, evidence: string) => Promise<void>
}

export function createConduct(deps: ConductDeps): Conduct {
  return new ConductKeeper(deps)
}

class ConductKeeper implements Conduct {
  readonly loop: Ticker
  readonly #deps: ConductDeps
  readonly #patience: KeyedBuckets<WorkerId>
  /** In the order of their last offence. */
  readonly #records = new Map<WorkerId, Record_>()
  readonly #streams = new Map<WorkerId, Set<(error: RotaError) => void>>()

  constructor(deps: ConductDeps) {
    this.#deps = deps
    this.#patience = new KeyedBuckets(deps.clock, PATIENCE)
    this.loop = new Ticker({ ...deps, name: 'conduct', runOnce: () => this.#flush() })
  }

  note(workerId: WorkerId, { offence, count = 1, detail }: OffenceNote): void {
    if (count === 0) return
    const record = this.#recordOf(workerId)
    record.counts[offence] = (record.counts[offence] ?? 0) + count
    if (isRefused(offence)) record.refused += count
    else record.stale += count
    const text = detail.slice(0, DETAIL_LENGTH_MAX).toWellFormed()
    this.#log(workerId, record, { offence, count, detail: text })
    const weight = Math.min(PATIENCE.burst, WEIGHTS[offence] * count)
    if (this.#patience.take(workerId, weight) === 0 || record.isSentenced) return
    record.isSentenced = true
    void this.#quarantine(workerId, record, text)
  }

  readonly noteAttempts: Conduct['noteAttempts'] = async (worker, attempts) => {
    if (attempts.length === 0) return
    const { db, logger } = this.#deps
    try {
      const looked = attempts.slice(0, LOOKED_UP_MAX)
      for (const { kind, count, example } of await classifyAttempts(db, worker, looked)) {
        this.note(worker.workerId, { offence: kind, count, detail: `executions/${example}` })
      }
      const count = attempts.length - looked.length
      this.note(worker.workerId, { offence: 'unknown', count, detail: 'a long list' })
    } catch (error) {
      logger.warn({ err: error, worker: worker.workerName }, 'attempts could not be looked up')
    }
  }

  watch(workerId: WorkerId, end: (error: RotaError) => void): () => void {
    const streams = this.#streams.get(workerId) ?? new Set()
    this.#streams.set(workerId, streams.add(end))
    return () => {
      streams.delete(end)
      if (streams.size === 0) this.#streams.delete(workerId)
    }
  }

  /** B2. The streams end at once; that the database cannot be told does not save them. */
  async #quarantine(workerId: WorkerId, record: Record_, detail: string): Promise<void> {
    const { cordon, db, logger } = this.#deps
    const evidence = describeOffences(record.counts, detail)
    this.#endStreams(workerId, evidence)
    try {
      const worker = await quarantineWorker(db, workerId, { evidence, ...SENTENCE })
      // One may have begun before the database knew.
      this.#endStreams(workerId, evidence)
      if (worker === undefined) return
      logger.warn({ ...worker, evidence }, 'a worker is quarantined')
      if (isHopeless(worker.count) && worker.state === 'active') await cordon(worker.name, evidence)
    } catch (error) {
      logger.error({ err: error, workerId }, 'a quarantine could not be written')
    } finally {
      record.isSentenced = false
    }
  }

  #endStreams(workerId: WorkerId, evidence: string): void {
    const error = new RotaError('WORKER_QUARANTINED', evidence, { retryAfterMs: quarantineMs(1) })
    for (const end of [...(this.#streams.get(workerId) ?? [])]) end(error)
  }

  async #flush(): Promise<number> {
    const due = [...this.#records].filter(([, { refused, stale }]) => refused + stale > 0)
    if (due.length === 0) return FLUSH_MS
    const rows = due.map(([workerId, { refused, stale }]) => ({ workerId, refused, stale }))
    await addRefusals(this.#deps.db, rows)
    for (const [index, [, record]] of due.entries()) {
      record.refused -= rows[index]?.refused ?? 0
      record.stale -= rows[index]?.stale ?? 0
    }
    return FLUSH_MS
  }

  #recordOf(workerId: WorkerId): Record_ {
    const known = this.#records.get(workerId)
    const record = known ?? {
      counts: {},
      refused: 0,
      stale: 0,
      loggedAtMs: Number.NEGATIVE_INFINITY,
      isSentenced: false,
    }
    this.#records.delete(workerId)
    this.#records.set(workerId, record)
    const [oldest] = this.#records.keys()
    if (this.#records.size > WORKERS_MAX && oldest !== undefined) this.#records.delete(oldest)
    return record
  }

  #log(workerId: WorkerId, record: Record_, line: OffenceNote): void {
    const nowMs = this.#deps.clock.monotonicMs()
    if (!isRefused(line.offence) || nowMs - record.loggedAtMs < LOG_MS) return
    record.loggedAtMs = nowMs
    this.#deps.logger.warn({ workerId, ...line }, 'messages of an agent are refused')
  }
}

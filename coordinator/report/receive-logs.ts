/**
 * Output of attempts, as it comes over the log connection of an agent.
 *
 * G1. Bytes are stored in order and once: a chunk is taken only where the stored output ends; what overlaps is cut off.
 * G2. The answer names the end of what is stored, after the commit; the agent goes on from there.
 * G3. An attempt stores at most what its job allows, both outputs together, whatever its agent says.
 * G4. Output that is not wanted (over the limit, of an attempt that is not this worker's) is answered as if it were
 *     stored: the agent goes on to the next, and one attempt never holds up the others.
 */
import type {
  PushLogsRequest,
  PushLogsResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { wordFromEnum } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import type { WorkerId } from '../job/execution.ts'
import { specOf } from '../store/job-specs.ts'
import {
  insertLogChunk,
  type LogOwner,
  type LogStreamWord,
  readLogOwner,
  readStoredEnds,
} from './log-queries.ts'
import type { AttemptRef } from './report-queries.ts'

const CHUNK_BYTES_MAX = 64 * 1024
/** What an attempt stores when its job does not say; agents know the same number. */
export const ATTEMPT_BYTES_DEFAULT = 10 * 1024 * 1024
/** Attempts whose place is remembered on one connection. */
const PLACES_MAX = 10_000

/** Where the output of an attempt goes. */
interface Place {
  readonly owner: LogOwner
  readonly ends: Record<LogStreamWord, number>
  readonly bytesMax: number
}

export interface LogReceiver {
  receive(request: PushLogsRequest): Promise<PushLogsResponse>
}

export interface LogReceiverOptions {
  readonly workerId: WorkerId
  readonly toRef: (message: { execution: string; epoch: bigint }) => AttemptRef
  /** The worker has no such attempt. Never rejects. */
  readonly onOther: (attempt: AttemptRef) => Promise<void>
}

export function createLogReceiver(deps: Deps, options: LogReceiverOptions): LogReceiver {
  return new Receiver(deps, options)
}

class Receiver implements LogReceiver {
  readonly #deps: Deps
  readonly #options: LogReceiverOptions
  /** By attempt; undefined for one that is not this worker's. */
  readonly #places = new Map<string, Place | undefined>()

  constructor(deps: Deps, options: LogReceiverOptions) {
    this.#deps = deps
    this.#options = options
  }

  async receive(request: PushLogsRequest): Promise<PushLogsResponse> {
    const ref = this.#options.toRef(request)
    const chunk = readChunk(request)
    const place = await this.#placeOf(ref)
    const storedTo = place === undefined ? chunk.end : await this.#store(ref, place, chunk)
    const { execution, epoch, stream } = request
    return { execution, epoch, stream, offset: BigInt(storedTo) }
  }

  async #placeOf(ref: AttemptRef): Promise<Place | undefined> {
    const key = `${ref.executionId}/${ref.epoch}`
    if (this.#places.has(key)) return this.#places.get(key)
    const place = await this.#look(ref)
    if (place === undefined) await this.#options.onOther(ref)
    if (this.#places.size >= PLACES_MAX) this.#places.clear()
    this.#places.set(key, place)
    return place
  }

  async #look(ref: AttemptRef): Promise<Place | undefined> {
    const { db, specs } = this.#deps
    const owner = await readLogOwner(db, { ...ref, workerId: this.#options.workerId })
    if (owner === undefined) return undefined
    const version = { jobId: owner.job_id, jobVersion: owner.job_version }
    const { spec } = specOf(await specs.load(db, [version]), version)
    return {
      owner,
      ends: await readStoredEnds(db, { ...ref, runAt: owner.run_at }),
      bytesMax: Number(spec.limits?.logBytes ?? 0n) || ATTEMPT_BYTES_DEFAULT,
    }
  }

  /** Stores what of a chunk is new and wanted; answers up to where its agent need not send again. */
  async #store(ref: AttemptRef, place: Place, chunk: Chunk): Promise<number> {
    const { clock, db, hints } = this.#deps
    const { ends, owner } = place
    const leftBytes = bytesLeft(place)
    if (leftBytes <= 0) return chunk.end
    const storedEnd = ends[chunk.stream]
    const data = cutStored(chunk, storedEnd).subarray(0, leftBytes)
    if (data.length === 0) return storedEnd
    const isStored = await insertLogChunk(db, {
      ...ref,
      stream: chunk.stream,
      runAt: owner.run_at,
      attempt: owner.attempt,
      offset: storedEnd,
      loggedAt: clock.now(),
      data,
    })
    if (isStored) ends[chunk.stream] += data.length
    else Object.assign(ends, await readStoredEnds(db, { ...ref, runAt: owner.run_at }))
    hints.give('logs')
    return bytesLeft(place) <= 0 ? chunk.end : ends[chunk.stream]
  }
}

function bytesLeft({ bytesMax, ends }: Place): number {
  return bytesMax - ends.stdout - ends.stderr
}

interface Chunk {
  readonly stream: LogStreamWord
  readonly offset: number
  readonly end: number
  readonly data: Uint8Array
}

function readChunk({ stream: number, offset, data }: PushLogsRequest): Chunk {
  const stream = wordFromEnum(LogStream, number)
  if (stream !== 'stdout' && stream !== 'stderr') {
    throw new RotaError('PROTOCOL_VIOLATION', 'output is of stdout or of stderr')
  }
  if (data.length > CHUNK_BYTES_MAX) {
    throw new RotaError('PROTOCOL_VIOLATION', `a chunk holds at most ${CHUNK_BYTES_MAX} bytes`)
  }
  const end = Number(offset) + data.length
  if (offset < 0n || !Number.isSafeInteger(end)) {
    throw new RotaError('PROTOCOL_VIOLATION', `no output has a byte ${offset}`)
  }
  return { stream, offset: Number(offset), end, data }
}

/** The part of a chunk that begins where the stored output ends; empty when there is a gap before it (G1). */
function cutStored({ offset, end, data }: Chunk, storedEnd: number): Uint8Array {
  return offset > storedEnd || end <= storedEnd
    ? new Uint8Array()
    : data.subarray(storedEnd - offset)
}

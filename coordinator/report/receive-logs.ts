/**
 * Output of attempts, as it comes over the log connection of an agent.
 *
 * G1. Bytes are stored in order and once: a chunk is taken only where the stored output ends; what overlaps is cut off.
 * G2. The answer names the end of what is stored, after the commit; the agent goes on from there.
 * G3. An attempt stores at most ATTEMPT_BYTES_MAX, whatever its agent says.
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
import {
  insertLogChunk,
  type LogOwner,
  type LogPlace,
  type LogStreamWord,
  readLogOwner,
  readStoredEnd,
} from './log-queries.ts'
import type { AttemptRef } from './report-queries.ts'

const CHUNK_BYTES_MAX = 64 * 1024
/** Both streams together; the agent's own cap lies below. */
export const ATTEMPT_BYTES_MAX = 256 * 1024 * 1024
/** Attempts whose place is remembered on one connection. */
const PLACES_MAX = 10_000

interface Place {
  readonly owner: LogOwner
  storedEnd: number
}

export interface LogReceiver {
  receive(request: PushLogsRequest): Promise<PushLogsResponse>
}

export function createLogReceiver(
  deps: Deps,
  toRef: (message: { execution: string; epoch: bigint }) => AttemptRef,
  workerId: WorkerId,
): LogReceiver {
  const places = new Map<string, Place>()

  const placeOf = async (ref: AttemptRef, stream: LogStreamWord): Promise<Place> => {
    const key = `${ref.executionId}/${ref.epoch}/${stream}`
    const known = places.get(key)
    if (known !== undefined) return known
    const owner = await readLogOwner(deps.db, { ...ref, workerId })
    if (owner === undefined) {
      throw new RotaError(
        'PROTOCOL_VIOLATION',
        `${ref.executionId} is not an attempt of this worker`,
      )
    }
    const storedEnd = await readStoredEnd(deps.db, { ...ref, stream, runAt: owner.run_at })
    const place = { owner, storedEnd }
    if (places.size >= PLACES_MAX) places.clear()
    places.set(key, place)
    return place
  }

  return {
    async receive(request) {
      const ref = toRef(request)
      const stream = readStream(request)
      const place = await placeOf(ref, stream)
      const fresh = cutStored(request, place.storedEnd)
      if (fresh.length > 0) {
        const at: LogPlace = { ...ref, stream, runAt: place.owner.run_at }
        const isStored = await insertLogChunk(deps.db, {
          ...at,
          attempt: place.owner.attempt,
          offset: place.storedEnd,
          loggedAt: deps.clock.now(),
          data: fresh,
        })
        place.storedEnd = isStored
          ? place.storedEnd + fresh.length
          : await readStoredEnd(deps.db, at)
        deps.hints.give('logs')
      }
      const { execution, epoch } = request
      return { execution, epoch, stream: request.stream, offset: BigInt(place.storedEnd) }
    },
  }
}

function readStream(request: PushLogsRequest): LogStreamWord {
  const stream = wordFromEnum(LogStream, request.stream)
  if (stream !== 'stdout' && stream !== 'stderr') {
    throw new RotaError('PROTOCOL_VIOLATION', 'output is of stdout or of stderr')
  }
  if (request.data.length > CHUNK_BYTES_MAX) {
    throw new RotaError('PROTOCOL_VIOLATION', `a chunk holds at most ${CHUNK_BYTES_MAX} bytes`)
  }
  return stream
}

/** The part of a chunk that begins where the stored output ends; empty when there is a gap before it (G1). */
function cutStored(request: PushLogsRequest, storedEnd: number): Uint8Array {
  const offset = Number(request.offset)
  const end = offset + request.data.length
  if (offset < 0 || offset > storedEnd || end <= storedEnd || end > ATTEMPT_BYTES_MAX) {
    return new Uint8Array()
  }
  return request.data.subarray(storedEnd - offset)
}

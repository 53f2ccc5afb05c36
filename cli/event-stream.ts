/**
 * What changes, over as many streams as it takes.
 *
 * V1. Nothing is missed: a new stream begins behind the last token that came, through whatever coordinator answers.
 * V2. It ends when the signal aborts, or when the reader has seen enough.
 * V3. It fails when no stream brought anything for GIVE_UP_MS; at once when there never was one.
 */
import {
  SystemServiceService,
  WatchEventsRequest,
  type WatchEventsResponse,
} from '../proto/gen/rota/v1/system_service.ts'
import { backoffDelayMs } from '../shared/backoff.ts'
import { sleep } from '../shared/clock.ts'
import { formatDurationMs } from '../shared/duration.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import type { Invocation } from './action.ts'
import type { Api } from './client.ts'
import { CONNECTION_LOST } from './log-output.ts'
import { talk } from './output/present.ts'

const GIVE_UP_MS = 60_000
const BACKOFF = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0 }

/** Every message, keepalives too; the first comes at once. */
export async function* watchEvents(
  invocation: Invocation,
  api: Api,
  request: Partial<WatchEventsRequest>,
): AsyncGenerator<WatchEventsResponse, void> {
  const { clock } = invocation.host
  const signal = invocation.interrupted
  let resumeToken = request.resumeToken ?? ''
  let retry = 0
  let heardMs: number | undefined
  while (!signal.aborted) {
    try {
      const whole = WatchEventsRequest.fromPartial({ ...request, resumeToken })
      for await (const message of api.stream(SystemServiceService.watchEvents, whole, signal)) {
        resumeToken = message.resumeToken
        retry = 0
        heardMs = clock.monotonicMs()
        yield message
      }
    } catch (error) {
      if (!isPassing(error) || heardMs === undefined) throw error
      if (clock.monotonicMs() - heardMs > GIVE_UP_MS) throw gaveUp(api, error)
    }
    if (signal.aborted) return
    retry++
    if (retry === 1) await talk(invocation, CONNECTION_LOST)
    await sleep(clock, backoffDelayMs(BACKOFF, retry, 0), signal)
  }
}

/** True when the coordinator is away, stops, or wants us to come back later. */
export function isPassing(error: unknown): error is RotaError {
  return (
    error instanceof RotaError && (error.code === 'UNAVAILABLE' || error.reason === 'RATE_LIMITED')
  )
}

function gaveUp(api: Api, cause: RotaError): RotaError {
  const message = `${api.address} has not answered for ${formatDurationMs(GIVE_UP_MS)}`
  return new RotaError('UNREACHABLE', message, { cause })
}

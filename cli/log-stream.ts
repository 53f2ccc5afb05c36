/**
 * Reads what an execution printed, over as many streams as it takes.
 *
 * L1. Each chunk is written once: a new stream begins after the last sequence that was written.
 * L2. It ends when the coordinator says that this is all, or when the signal aborts.
 * L3. It fails when no stream brought anything for GIVE_UP_MS.
 */

import { LogStream } from '../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  TailExecutionLogsRequest,
  type TailExecutionLogsResponse,
} from '../proto/gen/rota/v1/execution_service.ts'
import { backoffDelayMs } from '../shared/backoff.ts'
import { type Clock, sleep } from '../shared/clock.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import type { Api } from './client.ts'

interface LogRequest {
  /** `executions/{uuid}` */
  readonly name: string
  /** Until the execution ends. */
  readonly follow: boolean
  /** Only the last lines; 0 for all. */
  readonly tailLines: number
  /** Only this attempt; 0 for all. */
  readonly attempt: number
}

interface LogReader {
  readonly api: Api
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly write: (chunk: TailExecutionLogsResponse) => Promise<void>
  /** A stream broke, and the next one is tried. */
  readonly broken: () => Promise<void>
}

const GIVE_UP_MS = 60_000
const BACKOFF = { delayMs: 200, maxDelayMs: 2_000, multiplier: 2, jitter: 0 }

export async function streamLogs(reader: LogReader, request: LogRequest): Promise<void> {
  const { clock, signal } = reader
  let last = 0n
  let retry = 0
  let progressMs = clock.monotonicMs()
  while (!signal.aborted) {
    try {
      for await (const chunk of openStream(reader, request, last)) {
        // What Rota says about the output has no place of its own in it.
        if (chunk.sequence <= last && chunk.stream !== LogStream.SYSTEM) continue
        await reader.write(chunk)
        last = chunk.sequence
        retry = 0
        progressMs = clock.monotonicMs()
      }
      return
    } catch (error) {
      const isBroken = error instanceof RotaError && error.code === 'UNAVAILABLE'
      // Nothing was ever there to go on with: the person should hear of it now.
      const isFirst = last === 0n && !request.follow
      if (!isBroken || isFirst || clock.monotonicMs() - progressMs > GIVE_UP_MS) throw error
      retry++
      if (retry === 1) await reader.broken()
      await sleep(clock, backoffDelayMs(BACKOFF, retry, 0), signal)
    }
  }
}

function openStream({ api, signal }: LogReader, request: LogRequest, last: bigint) {
  return api.stream(
    ExecutionServiceService.tailExecutionLogs,
    TailExecutionLogsRequest.fromPartial({
      ...request,
      afterSequence: last,
      // The end of what was there at first; from then on everything counts.
      tailLines: last === 0n ? request.tailLines : 0,
    }),
    signal,
  )
}

/** Output of an execution, from the store: what is there, the last lines of it, and with `follow` what comes. */

import { LogStream } from '../../proto/gen/rota/v1/execution.ts'
import type { TailExecutionLogsResponse } from '../../proto/gen/rota/v1/execution_service.ts'
import { Bell } from '../../shared/bell.ts'
import { enumFromWord } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId } from '../job/execution.ts'
import {
  type LogChunkRow,
  readLastLogChunks,
  readLogChunks,
  readLogProgress,
} from '../query/execution-queries.ts'

export interface Tail {
  readonly id: ExecutionId
  readonly follow: boolean
  readonly afterSequence: bigint
  /** 0: everything. */
  readonly tailLines: number
  /** 0: all. */
  readonly attempt: number
}

/** Chunks read at once; each holds at most 64 KiB. */
const BATCH = 16
/** Chunks looked through for the last lines, at most. */
const TAIL_CHUNKS_MAX = 256
/** Looks at least so often, in ms: the output may come through another coordinator. */
const LOOK_MS = 500
/** How long announced output is waited for once nothing runs any more, in ms: its agent may be gone for good. */
const LATE_MS = 5_000

export async function* tailLogs(
  deps: Deps,
  tail: Tail,
  signal: AbortSignal,
): AsyncIterable<TailExecutionLogsResponse> {
  const changes = watchChanges(deps, signal)
  try {
    let after = Number(tail.afterSequence)
    if (tail.tailLines > 0) {
      for (const chunk of await readLastLines(deps, tail)) {
        after = Math.max(after, chunk.sequence)
        yield toResponse(chunk)
      }
    }
    // Since when nothing has come although nothing runs any more.
    let quietSinceMs = deps.clock.monotonicMs()
    let end: End | undefined
    while (!signal.aborted) {
      const chunks = await readBatch(deps, tail, after)
      for (const chunk of chunks) {
        after = chunk.sequence
        yield toResponse(chunk)
      }
      if (chunks.length > 0) quietSinceMs = deps.clock.monotonicMs()
      if (chunks.length === BATCH) continue
      // Only a look that found nothing after the end was seen is the last one.
      if (end?.isOver && chunks.length === 0) return yield* sayDropped(end.dropped, after)
      end = await whetherOver(deps, tail, quietSinceMs)
      if (end.isLive) quietSinceMs = deps.clock.monotonicMs()
      if (!end.isOver) await changes.wait(LOOK_MS)
    }
  } finally {
    changes.stop()
  }
}

async function readBatch(deps: Deps, tail: Tail, after: number): Promise<LogChunkRow[]> {
  const { id: executionId, attempt } = tail
  return readLogChunks(deps.db, { executionId, attempt, afterSequence: after, limit: BATCH })
}

/** The last lines, cut at their beginning. Bytes of both streams in the order in which they came. */
async function readLastLines(deps: Deps, tail: Tail): Promise<LogChunkRow[]> {
  const newestFirst = await readLastLogChunks(deps.db, {
    executionId: tail.id,
    attempt: tail.attempt,
    afterSequence: Number(tail.afterSequence),
    limit: TAIL_CHUNKS_MAX,
  })
  const kept: LogChunkRow[] = []
  // The newline at the very end closes the last line, it does not begin another one.
  let wanted = tail.tailLines + (newestFirst[0]?.data.at(-1) === 0x0a ? 1 : 0)
  for (const chunk of newestFirst) {
    let from = chunk.data.length
    while (wanted > 0 && from > 0) {
      const newline = chunk.data.lastIndexOf(0x0a, from - 1)
      if (newline === -1) from = 0
      else wanted -= 1
      if (newline !== -1) from = newline
    }
    const start = wanted === 0 ? from + 1 : 0
    kept.unshift({ ...chunk, offset: chunk.offset + start, data: chunk.data.subarray(start) })
    if (wanted === 0) break
  }
  return kept.filter(({ data }) => data.length > 0)
}

interface End {
  readonly isLive: boolean
  readonly isOver: boolean
  readonly dropped: number
}

async function whetherOver(deps: Deps, tail: Tail, quietSinceMs: number): Promise<End> {
  const progress = await readLogProgress(deps.db, tail.id, tail.attempt)
  const { dropped, is_live: isLive } = progress
  if (!tail.follow) return { isLive, isOver: true, dropped }
  const isComplete = progress.stored >= progress.announced
  const isLate = deps.clock.monotonicMs() - quietSinceMs > LATE_MS
  return { isLive, isOver: !isLive && (isComplete || isLate), dropped }
}

function* sayDropped(dropped: number, after: number): Iterable<TailExecutionLogsResponse> {
  if (dropped === 0) return
  yield {
    sequence: BigInt(after),
    logTime: undefined,
    stream: LogStream.SYSTEM,
    data: Buffer.from(
      `rota: ${dropped} more bytes of output were over the limit and are not kept\n`,
    ),
    attempt: 0,
    offset: 0n,
  }
}

function toResponse(chunk: LogChunkRow): TailExecutionLogsResponse {
  return {
    sequence: BigInt(chunk.sequence),
    logTime: chunk.logged_at,
    stream: enumFromWord(LogStream, chunk.stream),
    data: chunk.data,
    attempt: chunk.attempt,
    offset: BigInt(chunk.offset),
  }
}

/** Rings when there may be more, and when the client has gone. */
function watchChanges(deps: Deps, signal: AbortSignal) {
  const bell = new Bell()
  const ring = () => bell.ring()
  const stops = [deps.hints.on('logs', ring), deps.hints.on('executions', ring)]
  signal.addEventListener('abort', ring, { once: true })
  return {
    wait: (atMostMs: number) => bell.wait(deps.clock, atMostMs),
    stop: () => {
      for (const stop of stops) stop()
    },
  }
}

/** The timeline of one execution, page by page. */
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionEvent,
  type ListExecutionEventsRequest,
  type ListExecutionEventsResponse,
} from '../../proto/gen/rota/v1/execution_service.ts'
import { invalidRequest } from '../../shared/errors/rota-error.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import { describeEvent } from '../events/describe-event.ts'
import { readTimeline, type TimelineRow } from '../events/timeline-queries.ts'
import type { ExecutionId } from '../job/execution.ts'
import { decodePageToken, encodePageToken } from '../query/page-token.ts'
import type { Db } from '../store/database.ts'
import { executionId, readWholeExecution } from './read-whole-execution.ts'

const PAGE_SIZE = 50
const PAGE_SIZE_MAX = 1_000

/** Throws EXECUTION_NOT_FOUND when there never was one, or its history has been forgotten. */
export async function listExecutionEvents(
  db: Db,
  request: ListExecutionEventsRequest,
): Promise<ListExecutionEventsResponse> {
  const id = executionId(request.execution, 'execution')
  const after = readPageToken(request.pageToken, id)
  if (request.pageSize < 0) {
    const message = 'must not be negative'
    throw invalidRequest([{ field: 'page_size', reason: 'FIELD_INVALID', message }])
  }
  const limit = Math.min(request.pageSize || PAGE_SIZE, PAGE_SIZE_MAX)
  const rows = await readTimeline(db, id, { after, limit: limit + 1 })
  if (rows.length === 0) await readWholeExecution(db, id)
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return {
    events: shown.map(toExecutionEvent),
    nextPageToken: hasMore ? encodePageToken([last.sequence], pageArgs(id)) : '',
  }
}

/** Tokens of releases before went by the ids of events. */
function pageArgs(id: ExecutionId) {
  return { execution: id, by: 'sequence' }
}

function readPageToken(token: string, id: ExecutionId): number {
  if (token === '') return 0
  const [after] = decodePageToken(token, pageArgs(id)) ?? []
  if (typeof after === 'number') return after
  const message = 'is damaged, or of another request'
  throw invalidRequest([{ field: 'page_token', reason: 'PAGE_TOKEN_INVALID', message }])
}

function toExecutionEvent(row: TimelineRow): ExecutionEvent {
  return ExecutionEvent.fromPartial({
    sequence: BigInt(row.sequence),
    eventTime: row.happened_at,
    state: enumFromWord(ExecutionState, row.state),
    worker: row.worker === '' ? '' : resourceName('workers', row.worker),
    message: describeEvent(row),
    actor: row.actor,
  })
}

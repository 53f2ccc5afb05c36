/** The stream of changes as the contract has it. */
import type {
  WatchEventsRequest,
  WatchEventsResponse,
} from '../../proto/gen/rota/v1/system_service.ts'
import { invalidRequest } from '../../shared/errors/rota-error.ts'
import { EVENT_FIELDS, resourceOf } from '../events/event-filter.ts'
import { type Delivery, followEvents } from '../events/follow-events.ts'
import type { Resources } from '../events/load-resources.ts'
import { decodeResumeToken, encodeResumeToken, type Position } from '../events/position.ts'
import type { EventRow } from '../events/read-event-queries.ts'
import { type Filter, parseFilter } from '../query/filter.ts'
import type { Caller } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toExecution } from './to-execution.ts'
import { toJob } from './to-job.ts'
import { toWorker } from './to-worker.ts'

export async function* watchEvents(
  deps: ServiceDeps,
  request: WatchEventsRequest,
  { signal }: Caller,
): AsyncIterable<WatchEventsResponse> {
  const filter = readFilter(request.filter)
  const from = readToken(request.resumeToken)
  for await (const delivery of followEvents(deps, deps.events, { from, filter, signal })) {
    yield toResponse(delivery)
  }
}

function readFilter(text: string): Filter | undefined {
  const reading = parseFilter(text, EVENT_FIELDS)
  if (reading.kind === 'ok') return reading.filter
  const { message, position, hint } = reading
  const what = `${message} at character ${position}`
  throw invalidRequest([{ field: 'filter', reason: 'FILTER_INVALID', message: what, hint }])
}

function readToken(token: string): Position | undefined {
  if (token === '') return undefined
  const position = decodeResumeToken(token)
  if (position !== undefined) return position
  const message = 'is damaged, or no token of this stream'
  const hint = 'Send one as it came, or none to begin with what happens from now on.'
  throw invalidRequest([{ field: 'resume_token', reason: 'FIELD_INVALID', message, hint }])
}

function toResponse(delivery: Delivery): WatchEventsResponse {
  const resumeToken = encodeResumeToken(delivery.position)
  switch (delivery.kind) {
    case 'event': {
      const { event, resources } = delivery
      return { resumeToken, eventTime: event.happened_at, event: toEvent(event, resources) }
    }
    case 'keepalive':
      return { resumeToken, eventTime: undefined, event: { $case: 'keepalive', value: {} } }
    case 'gap':
      return { resumeToken, eventTime: undefined, event: { $case: 'gap', value: {} } }
  }
}

/** The resource as it is by now, or the name of one that is gone. */
function toEvent(event: EventRow, resources: Resources): WatchEventsResponse['event'] {
  const gone = { $case: 'deletedName', value: resourceOf(event) } as const
  switch (event.type) {
    case 'job': {
      const row = event.job_id === null ? undefined : resources.jobs.get(event.job_id)
      return row === undefined || row.state === 'deleted'
        ? gone
        : { $case: 'job', value: toJob(row) }
    }
    case 'execution': {
      const id = event.execution_id
      const row = id === null ? undefined : resources.executions.get(id)
      if (row === undefined) return gone
      const attempt = resources.attempts.get(row.id)
      const value = toExecution(row, attempt === undefined ? [] : [attempt])
      return { $case: 'execution', value }
    }
    case 'worker': {
      const row = resources.workers.get(event.worker)
      return row === undefined ? gone : { $case: 'worker', value: toWorker(row) }
    }
  }
}

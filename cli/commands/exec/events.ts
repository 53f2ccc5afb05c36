/** `exec events` and `exec watch`: what happened to one execution, and what happens. */
import { ExecutionState } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionEvent,
  ExecutionServiceService,
  ListExecutionEventsRequest,
  ListExecutionEventsResponse,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import { formatDurationMs } from '../../../shared/duration.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Handler, Invocation } from '../../action.ts'
import type { Api } from '../../client.ts'
import { isPassing, watchEvents } from '../../event-stream.ts'
import { resolveExecution } from '../../execution-id.ts'
import { EXIT, type ExitCode } from '../../exit-codes.ts'
import { toId } from '../../names.ts'
import { present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { timeOfDay } from '../../output/time.ts'
import { paintState, word } from '../../words.ts'
import { ENDED } from './describe.ts'
import type { ExecutionOptions } from './get.ts'

const PAGE_SIZE = 200

export const showTimeline: Handler<ExecutionOptions, readonly [string]> = async (
  invocation,
  { job },
  text,
) => {
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  await presentEvents(invocation, await fetchTimeline(api, name))
}

/** Shows each event as it happens until the execution ends; the exit code is that of `exec wait`. */
export const watchExecution: Handler<ExecutionOptions, readonly [string]> = async (
  invocation,
  { job },
  text,
) => {
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  const filter = `resource = ${JSON.stringify(name)}`
  let shown = 0
  // Any message is a reason to look, the first one too: it may have ended long ago.
  for await (const _message of watchEvents(invocation, api, { filter })) {
    const events = await fetchTimeline(api, name).catch(nothingYet)
    await presentNew(invocation, events, shown)
    shown = Math.max(shown, events.length)
    const last = events.at(-1)
    if (last !== undefined && ENDED.has(last.state)) return exitCodeOf(last)
  }
  await talk(invocation, `\nNo longer watching. Watch again:  rota exec watch ${toId(name)}`)
  return EXIT.interrupted
}

/** The coordinator is going away: the next message comes from another one, or the same one later. */
function nothingYet(error: unknown): ExecutionEvent[] {
  if (isPassing(error)) return []
  throw error
}

function exitCodeOf({ state }: ExecutionEvent): ExitCode {
  const isGood = state === ExecutionState.SUCCEEDED || state === ExecutionState.SKIPPED
  return isGood ? EXIT.ok : EXIT.executionFailed
}

async function fetchTimeline(api: Api, execution: string): Promise<ExecutionEvent[]> {
  const events: ExecutionEvent[] = []
  let pageToken = ''
  do {
    const request = ListExecutionEventsRequest.fromPartial({
      execution,
      pageSize: PAGE_SIZE,
      pageToken,
    })
    const page = await api.call(ExecutionServiceService.listExecutionEvents, request)
    events.push(...page.events)
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return events
}

async function presentEvents(
  invocation: Invocation,
  events: readonly ExecutionEvent[],
): Promise<void> {
  const message = ListExecutionEventsResponse.fromPartial({ events: [...events] })
  const typeName = 'rota.v1.ListExecutionEventsResponse'
  await present(invocation, {
    answer: { typeName, codec: ListExecutionEventsResponse, message },
    items: () => events.map(toMessage),
    names: () => events.map(({ sequence }) => String(sequence)),
    text: (screen) => renderTable(columns(screen, events), events, screen.width),
  })
}

/** Those that were not shown yet: the table goes on, programs get one message each. */
async function presentNew(
  invocation: Invocation,
  events: readonly ExecutionEvent[],
  shown: number,
): Promise<void> {
  for (const event of events.slice(shown)) {
    await present(invocation, {
      answer: toMessage(event),
      names: () => [String(event.sequence)],
      text: (screen) => renderLine(event, events, screen),
    })
  }
}

function toMessage(message: ExecutionEvent) {
  return { typeName: 'rota.v1.ExecutionEvent', codec: ExecutionEvent, message }
}

/** A line of the table under titles that are shown once, above the first event. */
function renderLine(
  event: ExecutionEvent,
  events: readonly ExecutionEvent[],
  screen: Screen,
): string {
  const table = renderTable(columns(screen, events), [event], screen.width)
  return event === events[0] ? table : table.slice(table.indexOf('\n') + 1)
}

function columns(screen: Screen, events: readonly ExecutionEvent[]): Column<ExecutionEvent>[] {
  const start = events[0]?.eventTime
  const state = ({ state }: ExecutionEvent) => word(ExecutionState, state)
  const time = (at: Date) => (screen.isWide ? isoSeconds(at) : timeOfDay(at))
  const wide: Column<ExecutionEvent>[] = [{ title: 'BY', value: ({ actor }) => actor }]
  return [
    { title: 'TIME    ', value: ({ eventTime }) => (eventTime ? time(eventTime) : '') },
    { title: 'AFTER   ', value: ({ eventTime }) => describeAfter(start, eventTime) },
    {
      title: 'STATE    ',
      value: state,
      paint: (event, cell) => paintState(screen, state(event), cell),
    },
    { title: 'WORKER   ', value: ({ worker }) => toId(worker), shrinkTo: 9 },
    { title: 'WHAT', value: ({ message }) => message, shrinkTo: 20 },
    ...(screen.isWide ? wide : []),
  ]
}

function describeAfter(start: Date | undefined, time: Date | undefined): string {
  if (start === undefined || time === undefined) return ''
  return formatDurationMs(Math.max(0, time.getTime() - start.getTime()))
}

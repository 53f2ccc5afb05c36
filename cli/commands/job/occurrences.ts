/** `rota job occurrences`: the ledger of a job, and why one of its due times did or did not run. */
import { ExecutionState } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExplainOccurrenceRequest,
  ExplainOccurrenceResponse,
  JobServiceService,
  ListOccurrencesRequest,
  ListOccurrencesResponse,
  Occurrence,
  Occurrence_Decision,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { parseDurationMs } from '../../../shared/duration.ts'
import { isoSeconds, parseRfc3339 } from '../../../shared/rfc-3339.ts'
import type { Handler, Invocation } from '../../action.ts'
import { shortIds } from '../../execution-id.ts'
import { toId, toName } from '../../names.ts'
import { readWord, usageError } from '../../option-values.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { exactTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { paintState, word, wordsOf } from '../../words.ts'

interface OccurrenceOptions extends Pick<ListOptions, 'limit' | 'all'> {
  readonly from?: string
  readonly to?: string
  readonly at?: string
  readonly decision?: readonly string[]
}

export const showOccurrences: Handler<OccurrenceOptions, readonly [string]> = async (
  invocation,
  options,
  name,
) => {
  if (options.at !== undefined) return explain(invocation, name, options.at)
  return list(invocation, options, name)
}

async function list(
  invocation: Invocation,
  options: OccurrenceOptions,
  name: string,
): Promise<undefined> {
  const now = invocation.host.clock.now()
  const { from, to } = options
  const request = ListOccurrencesRequest.fromPartial({
    job: toName('jobs', name),
    startTime: from === undefined ? undefined : readMoment('--from', from, now),
    endTime: to === undefined ? undefined : readMoment('--to', to, now),
    filter: readFilter(options.decision),
  })
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { occurrences, nextPageToken } = await api.call(JobServiceService.listOccurrences, {
      ...request,
      ...page,
    })
    return { items: occurrences, nextPageToken, totalSize: 0 }
  })
  const { items, nextPageToken } = page
  await presentOccurrences(invocation, { occurrences: [...items], nextPageToken })
  if (items.length === 0 && !isForMachine(invocation)) {
    await talk(invocation, 'No due time is in the ledger. --at TIME says why one is not.')
  }
  await talkOfMore(invocation, page)
  return undefined
}

async function presentOccurrences(
  invocation: Invocation,
  message: ListOccurrencesResponse,
): Promise<void> {
  const { occurrences } = message
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ListOccurrencesResponse',
      codec: ListOccurrencesResponse,
      message,
    },
    items: () =>
      occurrences.map((occurrence) => {
        return { typeName: 'rota.v1.Occurrence', codec: Occurrence, message: occurrence }
      }),
    names: () =>
      occurrences.map(({ scheduledFor }) => (scheduledFor ? isoSeconds(scheduledFor) : '')),
    text: (screen) =>
      occurrences.length === 0
        ? ''
        : renderTable(columns(screen, occurrences), occurrences, screen.width),
  })
}

function columns(screen: Screen, occurrences: readonly Occurrence[]): Column<Occurrence>[] {
  const ids = occurrences.flatMap(({ execution }) => (execution === '' ? [] : [toId(execution)]))
  const short = shortIds(ids)
  const state = ({ executionState }: Occurrence) => word(ExecutionState, executionState)
  return [
    { title: 'DUE', value: ({ scheduledFor }) => (scheduledFor ? isoSeconds(scheduledFor) : '') },
    { title: 'DECISION', value: ({ decision }) => word(Occurrence_Decision, decision) },
    {
      title: 'EXECUTION',
      value: ({ execution }) =>
        screen.isWide ? toId(execution) : (short.get(toId(execution)) ?? ''),
    },
    {
      title: 'STATE',
      value: state,
      paint: (occurrence, cell) => paintState(screen, state(occurrence), cell),
    },
    { title: 'REASON', value: ({ reason }) => reason, shrinkTo: 12 },
  ]
}

function readFilter(decisions: readonly string[] | undefined): string {
  const words = decisions?.flatMap((text) => text.split(',')) ?? []
  return words
    .map((text) => readWord('--decision', text.trim(), wordsOf(Occurrence_Decision)))
    .map((decision) => `decision = ${decision.toUpperCase()}`)
    .join(' OR ')
}

/** RFC 3339, or for how long ago: `24h`. */
function readMoment(option: string, text: string, now: Date): Date {
  const time = parseRfc3339(text)
  if (time !== undefined) return time
  const agoMs = parseDurationMs(text.trim().replace(/\s+ago$/i, ''))
  if (agoMs !== undefined) return new Date(now.getTime() - agoMs)
  throw usageError(
    option,
    `${JSON.stringify(text)} is not a time`,
    'Write it like 2026-11-30T22:15:00Z, or 24h for that long ago.',
  )
}

/** A time with its offset is that instant; any other is for the coordinator to read, in the zone of the schedule. */
async function explain(invocation: Invocation, name: string, at: string): Promise<undefined> {
  const time = parseRfc3339(at)
  const api = await invocation.connect()
  const request = ExplainOccurrenceRequest.fromPartial({
    job: toName('jobs', name),
    ...(time === undefined ? { localTime: at.trim() } : { time }),
  })
  const message = await api.call(JobServiceService.explainOccurrence, request)
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ExplainOccurrenceResponse',
      codec: ExplainOccurrenceResponse,
      message,
    },
    names: () => [message.occurrence?.execution ?? ''].filter((text) => text !== ''),
    text: (screen) => renderDetails(explainLines(message, screen), screen.width),
  })
  return undefined
}

function explainLines(answer: ExplainOccurrenceResponse, screen: Screen): Detail[] {
  const at = (time: Date | undefined) => time && exactTime(time, screen.now)
  const state = word(ExecutionState, answer.executionState)
  return [
    ['time', at(answer.time)],
    ['answer', answer.message],
    ['decision', word(Occurrence_Decision, answer.occurrence?.decision ?? 0)],
    ['execution', toId(answer.occurrence?.execution ?? '')],
    ['state', state, (line) => paintState(screen, state, line)],
    [
      'version',
      answer.version === 0
        ? ''
        : [`${answer.version}`, at(answer.versionCreateTime)].filter(Boolean).join(', saved at '),
    ],
    ['due before', at(answer.previousTime)],
    ['due after', at(answer.nextTime)],
  ]
}

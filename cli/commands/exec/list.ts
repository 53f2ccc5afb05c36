/** `exec list` and `job history`. */
import { Execution, ExecutionState, Trigger } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  ListExecutionsRequest,
  ListExecutionsResponse,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import type { Handler, Invocation } from '../../action.ts'
import { shortIds } from '../../execution-id.ts'
import { toId, toName } from '../../names.ts'
import { readDuration, readWord } from '../../option-values.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { exactTime, relativeTime } from '../../output/time.ts'
import { collectPages, joinFilters, type ListOptions, talkOfMore } from '../../paging.ts'
import { paintState, word, wordsOf } from '../../words.ts'
import { describeDuration, describeReason, describeState, describeWorker } from './describe.ts'

export type ExecutionListOptions = ListOptions & {
  readonly job?: string
  readonly state?: readonly string[]
  readonly since?: string
}

export const listExecutions: Handler<ExecutionListOptions, readonly []> = (invocation, options) =>
  listExecutionsOf(invocation, options, options.job)

export const showHistory: Handler<ExecutionListOptions, readonly [string]> = (
  invocation,
  options,
  job,
) => listExecutionsOf(invocation, options, job)

async function listExecutionsOf(
  invocation: Invocation,
  options: ExecutionListOptions,
  job: string | undefined,
): Promise<undefined> {
  const filter = readFilter(options, invocation.host.clock.now())
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { executions, ...rest } = await api.call(
      ExecutionServiceService.listExecutions,
      ListExecutionsRequest.fromPartial({
        ...page,
        job: job === undefined ? '' : toName('jobs', job),
        filter,
        orderBy: options.sort ?? '',
      }),
    )
    return { items: executions, ...rest }
  })
  await presentExecutions(
    invocation,
    ListExecutionsResponse.fromPartial({
      executions: [...page.items],
      nextPageToken: page.nextPageToken,
      totalSize: page.totalSize,
    }),
  )
  if (page.items.length === 0 && !isForMachine(invocation)) {
    await talk(invocation, filter === '' ? 'No executions yet.' : 'No execution matches.')
  }
  await talkOfMore(invocation, page)
}

async function presentExecutions(
  invocation: Invocation,
  message: ListExecutionsResponse,
): Promise<void> {
  const { executions } = message
  const typeName = 'rota.v1.ListExecutionsResponse'
  await present(invocation, {
    answer: { typeName, codec: ListExecutionsResponse, message },
    items: () =>
      executions.map((item) => ({
        typeName: 'rota.v1.Execution',
        codec: Execution,
        message: item,
      })),
    names: () => executions.map(({ name }) => name),
    text: (screen) => (executions.length === 0 ? '' : renderExecutions(executions, screen)),
  })
}

/** The table of executions; also a part of `rota status`. */
export function renderExecutions(executions: readonly Execution[], screen: Screen): string {
  const short = shortIds(executions.map(({ name }) => toId(name)))
  const id = ({ name }: Execution) => (screen.isWide ? toId(name) : (short.get(toId(name)) ?? ''))
  return renderTable(columns(screen, id), executions, screen.width)
}

function columns(screen: Screen, id: (execution: Execution) => string): Column<Execution>[] {
  const { now } = screen
  const wide: Column<Execution>[] = [
    { title: 'TRIGGER', value: ({ trigger }) => word(Trigger, trigger) },
    {
      title: 'DUE',
      value: ({ scheduledFor }) => (scheduledFor ? exactTime(scheduledFor, now) : ''),
    },
    {
      title: 'ATTEMPT',
      value: ({ attempts, maxAttempts }) => `${attempts.at(-1)?.number ?? 0}/${maxAttempts}`,
    },
    { title: 'REASON', value: describeReason },
  ]
  return [
    { title: 'EXECUTION', value: id },
    { title: 'JOB', value: ({ job }) => toId(job), shrinkTo: 12 },
    {
      title: 'STATE',
      value: describeState,
      paint: (execution, cell) => paintState(screen, describeState(execution), cell),
    },
    { title: 'WORKER', value: describeWorker, shrinkTo: 9 },
    { title: 'TOOK', value: (execution) => describeDuration(execution, now) },
    {
      title: 'CREATED',
      value: ({ createTime }) => (createTime ? relativeTime(createTime, now) : ''),
    },
    ...(screen.isWide ? wide : []),
  ]
}

function readFilter({ filter, state, since }: ExecutionListOptions, now: Date): string {
  const words = state?.flatMap((text) => text.split(','))
  const states = words?.map(
    (text) => `state = ${readWord('--state', text.trim(), wordsOf(ExecutionState)).toUpperCase()}`,
  )
  const from = since && new Date(now.getTime() - readDuration('--since', since)).toISOString()
  return joinFilters(filter, states?.join(' OR '), from && `create_time >= "${from}"`)
}

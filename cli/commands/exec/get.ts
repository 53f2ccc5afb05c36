import { type Attempt, Execution, Trigger } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  GetExecutionRequest,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler, Invocation } from '../../action.ts'
import type { Api } from '../../client.ts'
import { resolveExecution } from '../../execution-id.ts'
import { toId } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { formatBytes } from '../../output/text.ts'
import { exactTime, relativeTime } from '../../output/time.ts'
import { paintState, word } from '../../words.ts'
import {
  describeDuration,
  describeExit,
  describeOutcome,
  describeReason,
  describeState,
} from './describe.ts'

export interface ExecutionOptions {
  /** Whose `@last`. */
  readonly job?: string
}

export const getExecution: Handler<ExecutionOptions, readonly [string]> = async (
  invocation,
  { job },
  text,
) => {
  const api = await invocation.connect()
  const execution = await fetchExecution(api, await resolveExecution(api, text, job))
  await presentExecution(invocation, execution)
}

export async function fetchExecution(api: Api, name: string): Promise<Execution> {
  const request = GetExecutionRequest.fromPartial({ name })
  const { execution } = await api.call(ExecutionServiceService.getExecution, request)
  assert(execution !== undefined, 'GetExecution answered without an execution')
  return execution
}

export async function presentExecution(
  invocation: Invocation,
  execution: Execution,
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Execution', codec: Execution, message: execution },
    names: () => [execution.name],
    text: (screen) => renderExecution(execution, screen),
  })
}

function renderExecution(execution: Execution, screen: Screen): string {
  const details = renderDetails(executionLines(execution, screen), screen.width)
  const { attempts } = execution
  if (attempts.length === 0) return details
  return `${details}\n${renderTable(attemptColumns(screen), attempts, screen.width)}`
}

function executionLines(execution: Execution, screen: Screen): Detail[] {
  const { now } = screen
  const at = (time: Date | undefined) => time && exactTime(time, now)
  const reason = describeReason(execution)
  const took = execution.endTime && describeDuration(execution, now)
  return [
    ['execution', toId(execution.name)],
    ['job', `${toId(execution.job)} (version ${execution.jobVersion})`],
    [
      'state',
      describeState(execution) + (reason && `: ${reason}`),
      (line) => paintState(screen, describeState(execution), line),
    ],
    ['trigger', describeTrigger(execution)],
    ['due', at(execution.scheduledFor)],
    ['created', at(execution.createTime)],
    ['started', at(execution.startTime)],
    [
      'ended',
      execution.endTime && `${exactTime(execution.endTime, now)}${took ? `, took ${took}` : ''}`,
    ],
    ['priority', String(execution.priority)],
    ['attempts', `${execution.attempts.length} of ${execution.maxAttempts}`],
    ['replay of', toId(execution.replayOf)],
    ['parameters', renderStruct(execution.parameters)],
    ['outputs', renderStruct(execution.outputs)],
  ]
}

/** `manual by token:admin`; what the coordinator triggers by itself says no more than `schedule`. */
function describeTrigger({ trigger, requestedBy }: Execution): string {
  const known = word(Trigger, trigger)
  return requestedBy === '' || requestedBy === known ? known : `${known} by ${requestedBy}`
}

function renderStruct(struct: Readonly<Record<string, unknown>> | undefined): string {
  if (struct === undefined || Object.keys(struct).length === 0) return ''
  return Object.entries(struct)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('\n')
}

function attemptColumns(screen: Screen): Column<Attempt>[] {
  const { now } = screen
  return [
    { title: 'ATTEMPT', value: ({ number }) => String(number) },
    { title: 'WORKER', value: ({ worker }) => toId(worker), shrinkTo: 9 },
    {
      title: 'OUTCOME',
      value: describeOutcome,
      paint: (attempt, cell) => paintState(screen, describeOutcome(attempt), cell),
    },
    { title: 'EXIT', value: describeExit },
    {
      title: 'STARTED',
      value: ({ startTime }) => (startTime === undefined ? '' : relativeTime(startTime, now)),
    },
    { title: 'TOOK', value: (attempt) => describeDuration(attempt, now) },
    { title: 'OUTPUT', value: describeOutput },
    { title: 'MESSAGE', value: ({ message }) => message, shrinkTo: 12 },
    ...(screen.isWide ? [{ title: 'EPOCH', value: ({ epoch }: Attempt) => String(epoch) }] : []),
  ]
}

function describeOutput({ logBytes, logBytesDropped }: Attempt): string {
  const dropped = logBytesDropped > 0n ? ` (${formatBytes(Number(logBytesDropped))} cut)` : ''
  return `${formatBytes(Number(logBytes))}${dropped}`
}

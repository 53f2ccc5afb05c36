import { Execution } from '../../../proto/gen/rota/v1/execution.ts'
import {
  JobServiceService,
  TriggerJobRequest,
  TriggerJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import { newId } from '../../../shared/ids.ts'
import type { Handler, Invocation } from '../../action.ts'
import { awaitEnd } from '../../await-end.ts'
import { toId, toName } from '../../names.ts'
import { readDuration, readPairs, readTime, usageError } from '../../option-values.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { exactTime } from '../../output/time.ts'
import { describeReason, describeState } from '../exec/describe.ts'
import { readText } from './read-text.ts'

interface TriggerOptions {
  readonly param?: readonly string[]
  readonly paramsFile?: string
  readonly on?: string
  readonly at?: string
  readonly wait?: boolean
  readonly follow?: boolean
  readonly timeout?: string
  readonly dryRun?: boolean
}

/** Reasons of a queued execution that is not about to start. */
const WAITING_FOR_WORKER: ReadonlySet<string> = new Set(['NO_ELIGIBLE_WORKER', 'NO_FREE_SLOT'])

export const triggerJob: Handler<TriggerOptions, readonly [string]> = async (
  invocation,
  options,
  name,
) => {
  const isWaited = options.wait === true || options.follow === true
  const timeoutMs =
    options.timeout === undefined ? undefined : readDuration('--timeout', options.timeout)
  if (timeoutMs !== undefined && !isWaited) {
    throw usageError('--timeout', 'says how long to wait', 'Give --wait or --follow too.')
  }
  const request = await readRequest(invocation, options, name)
  const api = await invocation.connect()
  const response = await api.call(JobServiceService.triggerJob, request)
  if (request.validateOnly) {
    await presentChecked(invocation, response, name)
    return undefined
  }
  const { execution } = response
  assert(execution !== undefined, 'TriggerJob answered without an execution')
  if (!isWaited) {
    await presentTriggered(invocation, execution, request.scheduleTime)
    return undefined
  }
  if (!isForMachine(invocation)) {
    await talk(invocation, `execution ${toId(execution.name)} of ${toId(execution.job)}`)
  }
  const isFollowed = options.follow === true
  return awaitEnd(invocation, api, { name: execution.name, timeoutMs, isFollowed })
}

async function readRequest(
  invocation: Invocation,
  options: TriggerOptions,
  name: string,
): Promise<TriggerJobRequest> {
  const { clock, random } = invocation.host
  const parameters = await readParameters(invocation, options)
  return TriggerJobRequest.fromPartial({
    name: toName('jobs', name),
    ...(Object.keys(parameters).length > 0 && { parameters }),
    requestId: newId(clock, random),
    worker: options.on === undefined ? '' : toName('workers', options.on),
    ...(options.at !== undefined && { scheduleTime: readTime('--at', options.at, clock.now()) }),
    validateOnly: options.dryRun === true,
  })
}

/** A check makes no execution, so the answer is empty. */
async function presentChecked(
  invocation: Invocation,
  message: TriggerJobResponse,
  name: string,
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.TriggerJobResponse', codec: TriggerJobResponse, message },
    names: () => [],
    text: () => `${escapeControls(`job ${toId(name)} can be triggered like this`)}\n`,
  })
}

async function presentTriggered(
  invocation: Invocation,
  execution: Execution,
  scheduleTime: Date | undefined,
): Promise<void> {
  const id = toId(execution.name)
  await present(invocation, {
    answer: { typeName: 'rota.v1.Execution', codec: Execution, message: execution },
    names: () => [execution.name],
    text: ({ now }) => {
      const start = scheduleTime === undefined ? '' : `; starts ${exactTime(scheduleTime, now)}`
      return `execution ${id} ${describeState(execution)}${start}\n`
    },
  })
  if (isForMachine(invocation)) return
  if (WAITING_FOR_WORKER.has(execution.reason?.code ?? '')) {
    await talk(invocation, `warning: it waits: ${describeReason(execution)}`)
  }
  await talk(invocation, `follow it:  rota exec logs -f ${id}`)
}

/** The file's object, with each `--param` over it. */
async function readParameters(
  { host }: Invocation,
  { param, paramsFile }: TriggerOptions,
): Promise<Record<string, unknown>> {
  const given = readPairs('--param', param ?? [])
  if (paramsFile === undefined) return given
  const text = await readText(host, '--params-file', paramsFile)
  const { parse } = await import('yaml')
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw usageError('--params-file', message, 'Write an object in YAML or JSON.')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { ...value, ...given }
  }
  throw usageError(
    '--params-file',
    `${paramsFile} holds no object`,
    'Write lines such as `day: monday`.',
  )
}

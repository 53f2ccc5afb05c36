import { Execution } from '../../../proto/gen/rota/v1/execution.ts'
import { JobServiceService, TriggerJobRequest } from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import { newId } from '../../../shared/ids.ts'
import type { Handler, Invocation } from '../../action.ts'
import { awaitEnd } from '../../await-end.ts'
import { toId, toName } from '../../names.ts'
import { readDuration, readPairs, readTime, usageError } from '../../option-values.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import { describeState } from '../exec/describe.ts'
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

export const triggerJob: Handler<TriggerOptions, readonly [string]> = async (
  invocation,
  options,
  name,
) => {
  const { host } = invocation
  const timeoutMs = options.timeout && readDuration('--timeout', options.timeout)
  const isWaited = options.wait === true || options.follow === true
  if (timeoutMs !== undefined && !isWaited) {
    throw usageError('--timeout', 'says how long to wait', 'Give --wait or --follow too.')
  }
  const scheduleTime = options.at && readTime('--at', options.at, host.clock.now())
  const parameters = await readParameters(invocation, options)
  const api = await invocation.connect()
  const { execution } = await api.call(
    JobServiceService.triggerJob,
    TriggerJobRequest.fromPartial({
      name: toName('jobs', name),
      ...(Object.keys(parameters).length > 0 && { parameters }),
      requestId: newId(host.clock, host.random),
      worker: options.on === undefined ? '' : toName('workers', options.on),
      ...(scheduleTime && { scheduleTime }),
      validateOnly: options.dryRun === true,
    }),
  )
  assert(execution !== undefined, 'TriggerJob answered without an execution')
  if (!isWaited || options.dryRun) {
    await presentTriggered(invocation, execution, options.dryRun === true)
    return undefined
  }
  const isFollowed = options.follow === true
  if (!isForMachine(invocation))
    await talk(invocation, `execution ${toId(execution.name)} of ${toId(execution.job)}`)
  return awaitEnd(invocation, api, {
    name: execution.name,
    timeoutMs: timeoutMs === '' ? undefined : timeoutMs,
    isFollowed,
  })
}

async function presentTriggered(
  invocation: Invocation,
  execution: Execution,
  isDryRun: boolean,
): Promise<void> {
  const id = toId(execution.name)
  await present(invocation, {
    answer: { typeName: 'rota.v1.Execution', codec: Execution, message: execution },
    names: () => [execution.name],
    text: () =>
      isDryRun
        ? `job ${toId(execution.job)} can be triggered\n`
        : `execution ${id} ${describeState(execution)}\n`,
  })
  if (isForMachine(invocation) || isDryRun) return
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

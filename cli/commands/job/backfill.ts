/** `job backfill`. */
import {
  BackfillJobRequest,
  BackfillJobResponse,
  JobServiceService,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { newId } from '../../../shared/ids.ts'
import type { Handler, Invocation } from '../../action.ts'
import { confirm } from '../../confirm.ts'
import { EXIT } from '../../exit-codes.ts'
import { toId, toName } from '../../names.ts'
import { readInteger, readPastTime, usageError } from '../../option-values.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { exactTime } from '../../output/time.ts'
import { awaitBackfill } from './await-backfill.ts'

interface BackfillOptions {
  readonly from?: string
  readonly to?: string
  readonly maxParallel?: string
  readonly includeSucceeded?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly wait?: boolean
}

/** As many as a range may hold. */
const ALL = 10_000
/** Due times that a dry run shows; `-o json` has all. */
const SHOWN_MAX = 20

export const backfillJob: Handler<BackfillOptions, readonly [string]> = async (
  invocation,
  options,
  name,
) => {
  const request = readRequest(invocation, options, name)
  const api = await invocation.connect()
  const planned = await api.call(JobServiceService.backfillJob, { ...request, validateOnly: true })
  if (options.dryRun === true) {
    await presentBackfill(invocation, planned, { job: name, isDryRun: true })
    return EXIT.ok
  }
  const question = `Run ${describePlan(planned, request)}?`
  const isSure = options.yes === true || planned.scheduleTimes.length === 0
  if (!(await confirm(invocation, { question, isSure }))) return EXIT.error
  const made = await api.call(JobServiceService.backfillJob, request)
  await presentBackfill(invocation, made, { job: name, isDryRun: false })
  const [first] = made.executions
  if (first === undefined) return EXIT.ok
  if (options.wait === true) return awaitBackfill(invocation, api, { request, made, first })
  if (!isForMachine(invocation)) {
    const filter = `trigger = BACKFILL AND scheduled_for >= "${request.startTime?.toISOString()}"`
    await talk(invocation, `follow it:  rota job history ${toId(name)} --filter '${filter}'`)
  }
  return EXIT.ok
}

function readRequest(
  { host }: Invocation,
  options: BackfillOptions,
  name: string,
): BackfillJobRequest {
  const { clock, random } = host
  const now = clock.now()
  const { from, to, maxParallel } = options
  if (from === undefined) {
    throw usageError('--from', 'is missing', 'Say where the range begins: a time, or "24h ago".')
  }
  return BackfillJobRequest.fromPartial({
    name: toName('jobs', name),
    startTime: readPastTime('--from', from, now),
    endTime: to === undefined ? now : readPastTime('--to', to, now),
    maxParallel: readParallel(maxParallel),
    includeSucceeded: options.includeSucceeded === true,
    requestId: newId(clock, random),
  })
}

function readParallel(text: string | undefined): number {
  if (text === undefined) return 1
  return text === 'all' ? ALL : readInteger('--max-parallel', text, { min: 1, max: ALL })
}

/** `120 executions of report, one at a time` */
function describePlan({ scheduleTimes }: BackfillJobResponse, request: BackfillJobRequest): string {
  const { length } = scheduleTimes
  const many = length === 1 ? '1 execution' : `${length} executions`
  const pace =
    length <= 1 || request.maxParallel >= length
      ? 'at once'
      : request.maxParallel === 1
        ? 'one at a time'
        : `${request.maxParallel} at a time`
  return `${many} of ${toId(request.name)}, ${pace}`
}

async function presentBackfill(
  invocation: Invocation,
  message: BackfillJobResponse,
  { job, isDryRun }: { readonly job: string; readonly isDryRun: boolean },
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.BackfillJobResponse', codec: BackfillJobResponse, message },
    names: () => message.executions,
    text: ({ now }) => {
      const { scheduleTimes } = message
      const shown = isDryRun ? scheduleTimes.slice(0, SHOWN_MAX) : []
      const more = scheduleTimes.length - shown.length
      return [
        escapeControls(summaryOf(message, { job: toId(job), isDryRun })),
        ...shown.map((time) => `  ${exactTime(time, now)}`),
        ...(isDryRun && more > 0 ? [`  and ${more} more`] : []),
      ]
        .map((line) => `${line}\n`)
        .join('')
    },
  })
}

function summaryOf(
  { scheduleTimes, succeededCount, liveCount }: BackfillJobResponse,
  { job, isDryRun }: { readonly job: string; readonly isDryRun: boolean },
): string {
  const count = scheduleTimes.length
  const left = [
    ...(succeededCount > 0 ? [`${succeededCount} succeeded already`] : []),
    ...(liveCount > 0 ? [`${liveCount} have not ended yet`] : []),
  ]
  const many = count === 1 ? '1 execution' : `${count} executions`
  const what = isDryRun ? `would make ${many}` : `made ${many}`
  return `backfill of ${job} ${what}${left.length === 0 ? '' : ` (left out: ${left.join(', ')})`}`
}

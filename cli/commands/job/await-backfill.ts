/** Waits for the end of a backfill, and shows how far it is. */
import type { ExecutionState } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  GetExecutionRequest,
  ListExecutionsRequest,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import type {
  BackfillJobRequest,
  BackfillJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { sleep } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Invocation } from '../../action.ts'
import type { Api } from '../../client.ts'
import { EXIT, type ExitCode } from '../../exit-codes.ts'
import { isForMachine, talk } from '../../output/present.ts'

const POLL_MS = 1_000

interface Waited {
  readonly request: BackfillJobRequest
  readonly made: BackfillJobResponse
  /** Its oldest execution. */
  readonly first: string
}

/** 0 when all have succeeded, 10 when not, 130 after Ctrl-C; the executions go on in any case. */
export async function awaitBackfill(
  invocation: Invocation,
  api: Api,
  waited: Waited,
): Promise<ExitCode | undefined> {
  const { host, interrupted } = invocation
  const total = waited.made.executions.length
  const count = await createCounter(api, waited)
  let said = ''
  for (;;) {
    const progress = await count()
    const ended = progress.succeeded + progress.other
    const line = `${ended} of ${total} have ended${progress.other === 0 ? '' : `, ${progress.other} did not succeed`}`
    if (line !== said && !isForMachine(invocation)) await talk(invocation, line)
    said = line
    if (ended >= total) return progress.other === 0 ? EXIT.ok : EXIT.executionFailed
    await sleep(host.clock, POLL_MS, interrupted)
    if (interrupted.aborted) {
      await talk(invocation, '\nNo longer waiting. The backfill goes on.')
      return EXIT.interrupted
    }
  }
}

interface Progress {
  readonly succeeded: number
  readonly other: number
}

const OTHER_ENDS = ['FAILED', 'CANCELLED', 'UNCERTAIN', 'SKIPPED'] satisfies Exclude<
  keyof typeof ExecutionState,
  'UNRECOGNIZED'
>[]

/** Counts what has ended of it; as before when the coordinator is away just now. */
async function createCounter(api: Api, waited: Waited): Promise<() => Promise<Progress>> {
  const { name, startTime, endTime } = waited.request
  const { execution } = await api.call(
    ExecutionServiceService.getExecution,
    GetExecutionRequest.fromPartial({ name: waited.first }),
  )
  const common = [
    'trigger = BACKFILL',
    `scheduled_for >= "${startTime?.toISOString()}"`,
    `scheduled_for < "${endTime?.toISOString()}"`,
    `create_time >= "${execution?.createTime?.toISOString()}"`,
  ].join(' AND ')
  const countOf = async (states: readonly string[]) => {
    const filter = `${common} AND (${states.map((state) => `state = ${state}`).join(' OR ')})`
    const request = ListExecutionsRequest.fromPartial({ job: name, filter, pageSize: 1 })
    return (await api.call(ExecutionServiceService.listExecutions, request)).totalSize
  }
  let last: Progress = { succeeded: 0, other: 0 }
  return async () => {
    try {
      last = { succeeded: await countOf(['SUCCEEDED']), other: await countOf(OTHER_ENDS) }
    } catch (error) {
      const isAway = error instanceof RotaError && error.code === 'UNAVAILABLE'
      if (!isAway) throw error
    }
    return last
  }
}

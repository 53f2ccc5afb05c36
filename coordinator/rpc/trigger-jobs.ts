/** TriggerJob, once and many at a time. */
import type { Execution } from '../../proto/gen/rota/v1/execution.ts'
import type * as api from '../../proto/gen/rota/v1/job_service.ts'
import { TriggerJobRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { toRpcStatus } from '../../shared/errors/rpc-status.ts'
import { parseResourceName, resourceName } from '../../shared/wire.ts'
import { requestKey } from '../definition/request-key.ts'
import type { Triggered } from '../enqueue/trigger.ts'
import { principalName } from '../identity/principal.ts'
import { refuseFeature } from './refuse-feature.ts'
import type { Caller } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'
import { toAssigned } from './to-execution.ts'

const REQUESTS_MAX = 1_000
const METHOD = 'BatchTriggerJobs'

export async function trigger(
  deps: ServiceDeps,
  request: TriggerJobRequest,
  caller: Caller,
): Promise<api.TriggerJobResponse> {
  const triggered = await triggerOne(deps, request, caller)
  return { execution: triggered === undefined ? undefined : await describe(deps, triggered) }
}

/** What got a worker at once is told as it was stored; of the rest there is more to say. */
async function describe(deps: ServiceDeps, { assigned, id, job }: Triggered): Promise<Execution> {
  return assigned === undefined ? deps.readTriggered(id) : toAssigned(assigned, job)
}

/** All are asked for at once, so the trigger step stores them together. */
export async function batchTrigger(
  deps: ServiceDeps,
  batch: api.BatchTriggerJobsRequest,
  caller: Caller,
): Promise<api.BatchTriggerJobsResponse> {
  checkBatch(batch)
  const { requests, validateOnly, requestId } = batch
  const results = await Promise.all(
    requests.map(async (request, index): Promise<api.BatchJobResult> => {
      const own = request.requestId || (requestId === '' ? '' : `${requestId}/${index}`)
      try {
        const asked = {
          ...request,
          requestId: own,
          validateOnly: validateOnly || request.validateOnly,
        }
        const triggered = await triggerOne(deps, asked, caller)
        const execution = triggered === undefined ? '' : resourceName('executions', triggered.id)
        return { name: request.name, status: undefined, execution }
      } catch (error) {
        const explained = deps.boundary.explain(error, { method: `JobService/${METHOD}` })
        const status = toRpcStatus(explained.known, explained.requestId)
        return { name: request.name, status, execution: '' }
      }
    }),
  )
  const failedCount = results.filter(({ status }) => status !== undefined).length
  return { results, succeededCount: results.length - failedCount, failedCount }
}

function checkBatch({ requests, selection, parameters }: api.BatchTriggerJobsRequest): void {
  refuseFeature('selection', selection !== undefined)
  refuseFeature('parameters', parameters !== undefined)
  if (requests.length === 0 || requests.length > REQUESTS_MAX) {
    const message = `must hold 1 to ${REQUESTS_MAX} requests`
    refuseViolations([{ field: 'requests', reason: 'FIELD_INVALID', message }])
  }
}

async function triggerOne(
  deps: ServiceDeps,
  request: TriggerJobRequest,
  { principal, signal }: Caller,
): Promise<Triggered | undefined> {
  if (signal.aborted) throw new RotaError('CANCELLED', 'the caller has gone')
  const actor = principalName(principal)
  const { requestId } = request
  const encoded = requestId === '' ? NOTHING : TriggerJobRequest.encode(request).finish()
  return deps.triggerJob({
    job: parseResourceName('jobs', request.name, 'name'),
    parameters: request.parameters ?? {},
    worker: request.worker === '' ? '' : parseResourceName('workers', request.worker, 'worker'),
    scheduleTime: request.scheduleTime,
    actor,
    request: requestKey(actor, 'TriggerJob', { requestId, encoded }),
    validateOnly: request.validateOnly,
  })
}

const NOTHING = new Uint8Array()

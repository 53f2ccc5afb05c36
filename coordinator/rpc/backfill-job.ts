/** BackfillJob. */
import {
  BackfillJobRequest,
  type BackfillJobResponse,
} from '../../proto/gen/rota/v1/job_service.ts'
import { parseResourceName, resourceName } from '../../shared/wire.ts'
import { requestKey } from '../definition/request-key.ts'
import { principalName } from '../identity/principal.ts'
import type { Caller } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'

export async function backfill(
  deps: Pick<ServiceDeps, 'backfillJob'>,
  request: BackfillJobRequest,
  { principal }: Caller,
): Promise<BackfillJobResponse> {
  const actor = principalName(principal)
  const encoded = BackfillJobRequest.encode(request).finish()
  const { startTime, endTime, maxParallel, validateOnly, requestId } = request
  const outcome = await deps.backfillJob({
    job: parseResourceName('jobs', request.name, 'name'),
    ...{ startTime, endTime, maxParallel, validateOnly, actor },
    withSucceeded: request.includeSucceeded,
    request: requestKey(actor, 'BackfillJob', { requestId, encoded }),
  })
  return {
    executions: outcome.executions.map((id) => resourceName('executions', id)),
    scheduleTimes: [...outcome.dueTimes],
    succeededCount: outcome.succeededCount,
    liveCount: outcome.liveCount,
  }
}

/** Runs a job because somebody asked for it. */
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import { requireJob } from '../definition/find-job.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import { readParameters, validateParameters } from '../definition/validate-parameters.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId } from '../job/execution.ts'
import { readFleetNames } from '../query/fleet-queries.ts'
import { workerNotFound } from '../query/worker-not-found.ts'
import type { Enqueue } from './enqueue.ts'

export interface Trigger {
  readonly job: string
  readonly parameters: Readonly<Record<string, unknown>>
  /** Id of a worker: only there. Blank: anywhere. */
  readonly worker: string
  readonly scheduleTime: Date | undefined
  readonly actor: string
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

/** Answers the id of the execution; undefined when only validating. */
export async function triggerJob(
  deps: Deps,
  enqueue: Enqueue,
  trigger: Trigger,
): Promise<ExecutionId | undefined> {
  const job = await requireJob(deps.db, trigger.job)
  const declared = Job.fromJSON({ spec: job.spec }).spec?.parameters ?? []
  refuseViolations(validateParameters(declared, trigger.parameters))
  if (trigger.worker !== '') await requireWorker(deps, trigger.worker)
  if (trigger.validateOnly) return undefined
  const id = newId(deps.clock, deps.random)
  const resource = await deps.db.transaction().execute(async (tx) => {
    const { resource, isNew } = await once(tx, trigger.request, id)
    if (!isNew) return resource
    await enqueue(tx, [
      {
        id: id as ExecutionId,
        jobId: job.id,
        jobVersion: job.version,
        trigger: 'manual',
        scheduledFor: undefined,
        availableAt: trigger.scheduleTime,
        waitsForDependencies: false,
        parameters: readParameters(declared, trigger.parameters),
        pinnedWorker: trigger.worker || undefined,
        requestedBy: trigger.actor,
      },
    ])
    return resource
  })
  deps.hints.give('queue')
  return resource as ExecutionId
}

async function requireWorker(deps: Deps, worker: string): Promise<void> {
  const { workers } = await readFleetNames(deps.db)
  if (!workers.has(worker)) throw await workerNotFound(deps.db, worker, 'worker')
}

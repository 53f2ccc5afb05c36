import { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { Guarantee } from '../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import type { Epoch, ExecutionId, Guarantee as GuaranteeWord } from '../job/execution.ts'
import { placementNeeds } from '../job/placement.ts'
import type { StoredSpec } from '../store/job-specs.ts'

/** TERM, and KILL this much later, in ms. */
export const KILL_GRACE_MS = 10_000

export interface AssignedExecution {
  readonly id: ExecutionId
  readonly attempt: number
  readonly epoch: Epoch
  readonly guarantee: GuaranteeWord
  readonly scheduled_for: Date | null
  readonly parameters: Record<string, unknown>
}

/** What the agent needs to run one attempt. */
export function toAssignment(execution: AssignedExecution, stored: StoredSpec): Assignment {
  const { spec } = stored
  return Assignment.fromPartial({
    execution: resourceName('executions', execution.id),
    job: resourceName('jobs', stored.jobName),
    attempt: execution.attempt,
    epoch: BigInt(execution.epoch),
    task: spec.task,
    parameters: execution.parameters,
    scheduledFor: execution.scheduled_for ?? undefined,
    timeout: spec.timeout,
    killGrace: spec.killGrace ?? durationFromMs(KILL_GRACE_MS),
    guarantee: enumFromWord(Guarantee, execution.guarantee),
    limits: spec.limits,
    slots: placementNeeds(spec).slots,
  })
}

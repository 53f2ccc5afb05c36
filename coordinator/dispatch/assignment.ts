import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { Guarantee } from '../../proto/gen/rota/v1/job.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import type { Epoch, ExecutionId, Guarantee as GuaranteeWord } from '../job/execution.ts'
import { placementNeeds } from '../job/placement.ts'
import type { StoredSpec } from '../store/job-specs.ts'

/** Of an assignment beside its task: names, limits and usual parameters. */
const OTHER_BYTES = 1_024
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

/** What all assignments of one job version have in common. */
export interface AssignmentTerms {
  readonly shared: Pick<Assignment, 'job' | 'task' | 'timeout' | 'killGrace' | 'limits' | 'slots'>
  /** About what it takes of a message, in bytes. */
  readonly sizeBytes: number
}

/** Task and terms of many attempts, looked up once. */
export function termsOf({ jobName, spec }: StoredSpec): AssignmentTerms {
  return {
    shared: {
      job: resourceName('jobs', jobName),
      task: spec.task,
      timeout: spec.timeout,
      // The default is the agent's own, too: it need not be said with each.
      killGrace: spec.killGrace,
      limits: spec.limits,
      slots: placementNeeds(spec).slots,
    },
    sizeBytes: JSON.stringify(spec.task ?? null).length + OTHER_BYTES,
  }
}

/** What the agent needs to run one attempt. */
export function toAssignment(
  execution: AssignedExecution,
  { shared }: AssignmentTerms,
): Assignment {
  return {
    ...shared,
    execution: resourceName('executions', execution.id),
    attempt: execution.attempt,
    epoch: BigInt(execution.epoch),
    parameters: execution.parameters,
    scheduledFor: execution.scheduled_for ?? undefined,
    guarantee: enumFromWord(Guarantee, execution.guarantee),
    traceparent: '',
  }
}

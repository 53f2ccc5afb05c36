/** Whether this agent takes an assignment. Pure. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'

/** As the contract names them (Refused.reason). */
export type RefusalReason = 'NO_SLOT' | 'NO_SPACE' | 'DRAINING' | 'UNKNOWN_TASK'

export interface AgentState {
  readonly isDraining: boolean
  readonly freeSlots: number
  /** False when the disk is nearly full. */
  readonly hasSpace: boolean
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
}

/** Why the assignment is refused; undefined: it is taken. */
export function admit(assignment: Assignment, state: AgentState): RefusalReason | undefined {
  if (!isKnown(assignment, state)) return 'UNKNOWN_TASK'
  if (state.isDraining) return 'DRAINING'
  if (!state.hasSpace) return 'NO_SPACE'
  return Math.max(1, assignment.slots) > state.freeSlots ? 'NO_SLOT' : undefined
}

function isKnown({ task }: Assignment, { capabilities, handlers }: AgentState): boolean {
  const kind = task?.kind
  switch (kind?.$case) {
    case 'shell':
    case 'script':
    case 'api':
      return capabilities.has(kind.$case)
    case 'handler':
      return handlers.has(kind.value.handler)
    case 'workflow':
    case undefined:
      return false
  }
}

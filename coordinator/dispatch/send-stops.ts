import { durationFromMs } from '../../shared/duration.ts'
import { resourceName } from '../../shared/wire.ts'
import type { AgentSession } from './agent-session.ts'
import type { HeldAttempt } from './dispatch-queries.ts'

/** Tells the agent to stop attempts that are not its own any more (A5): no grace, nothing of them is wanted. */
export function sendStops(
  session: AgentSession,
  stale: readonly HeldAttempt[],
  reason: string,
): void {
  if (stale.length === 0) return
  session.stream.send({
    $case: 'stop',
    value: {
      targets: stale.map(({ executionId, epoch }) => ({
        execution: resourceName('executions', executionId),
        epoch: BigInt(epoch),
        reason,
        killGrace: durationFromMs(0),
        giveUp: false,
      })),
    },
  })
}

import type { Execution } from '../../proto/gen/rota/v1/execution.ts'
import type { EndExecutions } from '../cancel/cancel.ts'
import type { Member } from '../cluster/membership.ts'
import type { Deps } from '../deps.ts'
import type { BackfillJob } from '../enqueue/backfill.ts'
import type { TriggerJob } from '../enqueue/trigger.ts'
import type { EventFeed } from '../events/event-feed.ts'
import type { EnrollmentDeps } from '../identity/enrollment.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { WorkerRow } from '../query/fleet-queries.ts'
import type { ErrorBoundary } from './error-boundary.ts'
import type { Turns } from './limits/turns.ts'

/** What the services call; they hold no logic of their own. */
export interface ServiceDeps extends Deps {
  readonly boundary: ErrorBoundary
  /** Calls of the API take turns; those whose work is gathered anyway are bounded by what they hold in memory. */
  readonly calls: Turns
  readonly gatheredCalls: Turns
  readonly triggerJob: TriggerJob
  readonly backfillJob: BackfillJob
  /** What triggers answer. */
  readonly readTriggered: (id: ExecutionId) => Promise<Execution>
  /** Shared by all who ask at the same time. */
  readonly readFleet: () => Promise<readonly WorkerRow[]>
  readonly endExecutions: EndExecutions
  readonly enrollment: EnrollmentDeps
  readonly events: EventFeed
  /** The coordinators that live, this one first. */
  readonly members: () => readonly Member[]
}

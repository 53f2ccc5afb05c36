/** What the runner of a task is given. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Started } from '../warden/messages.ts'
import type { StopSwitch } from '../warden/stop-switch.ts'
import type { WardenLink } from '../warden/warden-link.ts'
import type { Workspace } from './workspace.ts'

/** The host as far as tasks are concerned. */
export interface TaskHost {
  readonly clock: Clock
  readonly logger: Logger
  /** What jobs may see of the agent's environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly shell: string
  readonly bootId: string
  /** Has the processes of tasks in its care. */
  readonly warden: WardenLink
}

export interface TaskContext {
  readonly host: TaskHost
  readonly assignment: Assignment
  /** Where its files lie. */
  readonly workspace: Workspace
  readonly stop: StopSwitch
  /** Called once, when the work begins; with its process if the warden has it. */
  readonly onStarted: (started: Started | undefined) => void
}

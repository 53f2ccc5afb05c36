/** Assignments as a coordinator would send them. */
import { randomUUID } from 'node:crypto'
import { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { ApiTask, Guarantee, type Task } from '../../proto/gen/rota/v1/job.ts'

let lastEpoch = 100n

/** An assignment of a new execution with a new epoch. */
export function assignmentOf(
  kind: NonNullable<Task['kind']>,
  change: Partial<Assignment> = {},
): Assignment {
  lastEpoch += 1n
  return Assignment.fromPartial({
    execution: `executions/${randomUUID()}`,
    job: 'jobs/a-job',
    attempt: 1,
    epoch: lastEpoch,
    guarantee: Guarantee.AT_LEAST_ONCE,
    slots: 1,
    ...change,
    task: { kind },
  })
}

/** An assignment of a command line. */
export function shellOf(command: string, change: Partial<Assignment> = {}): Assignment {
  const value = { command, env: {}, workingDirectory: '', runAs: '' }
  return assignmentOf({ $case: 'shell', value }, change)
}

/** An assignment of an inline script, or of a `path`. */
export function scriptOf(
  source: { readonly inline: string } | { readonly path: string },
  change: { readonly interpreter?: string; readonly args?: string[] } = {},
): Assignment {
  return assignmentOf({
    $case: 'script',
    value: {
      source:
        'inline' in source
          ? { $case: 'inline', value: source.inline }
          : { $case: 'path', value: source.path },
      interpreter: change.interpreter ?? '',
      args: change.args ?? [],
      env: {},
      workingDirectory: '',
      runAs: '',
    },
  })
}

/** An assignment of an HTTP call. */
export function apiOf(change: Partial<ApiTask>, assignment: Partial<Assignment> = {}): Assignment {
  return assignmentOf({ $case: 'api', value: ApiTask.fromPartial(change) }, assignment)
}

/** An assignment of a handler. */
export function handlerOf(
  handler: string,
  payload: Record<string, unknown> = {},
  change: Partial<Assignment> = {},
): Assignment {
  return assignmentOf({ $case: 'handler', value: { handler, payload } }, change)
}

/** Hands a task to the runner of its kind. */

import { runApi } from './api.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import { runHandler } from './run-handler.ts'
import { runScript } from './script.ts'
import { runShell } from './shell.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

/** Runs the task to its end. What goes wrong on the way is an end too. */
export async function runTask(context: TaskContext, handlers: HandlerRegistry): Promise<TaskEnd> {
  const { task } = context.assignment
  try {
    switch (task?.kind?.$case) {
      case 'shell':
        return await runShell(task.kind.value, context)
      case 'script':
        return await runScript(task.kind.value, context)
      case 'api':
        return await runApi(task.kind.value, context)
      case 'handler':
        return await runHandler(task.kind.value, context, handlers)
      case 'workflow':
      case undefined:
        return { kind: 'not_started', message: 'this agent does not know the kind of the task' }
    }
  } catch (error) {
    context.host.logger.error(
      { err: error, execution: context.assignment.execution },
      'task failed',
    )
    return { kind: 'not_started', message: error instanceof Error ? error.message : String(error) }
  }
}

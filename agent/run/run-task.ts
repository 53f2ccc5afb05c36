/** Hands a task that runs in a workspace to the runner of its kind; handlers do not. */
import { runApi } from './api.ts'
import { runScript } from './script.ts'
import { runShell } from './shell.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

/** Runs the task to its end. What goes wrong on the way is an end too. */
export async function runTask(context: TaskContext): Promise<TaskEnd> {
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

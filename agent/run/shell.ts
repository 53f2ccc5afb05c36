/** A `shell` task: one command line through the shell of the worker. */
import type { ShellTask } from '../../proto/gen/rota/v1/job.ts'
import { runCommand } from './run-command.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

export function runShell(task: ShellTask, context: TaskContext): Promise<TaskEnd> {
  return runCommand(task, { file: context.host.shell, args: ['-c', task.command] }, context)
}

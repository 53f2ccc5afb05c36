/** What shell and script tasks share: user, environment, working directory. */
import { isAbsolute, join } from 'node:path'
import { jobEnvironment } from './environment.ts'
import { runProcess } from './process.ts'
import { giveWorkspace, lookUpUser } from './run-as.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

export interface CommandSettings {
  readonly env: Readonly<Record<string, string>>
  readonly workingDirectory: string
  readonly runAs: string
}

/** Runs `file` with `args` as the task's settings want it. */
export async function runCommand(
  settings: CommandSettings,
  command: { readonly file: string; readonly args: readonly string[] },
  context: TaskContext,
): Promise<TaskEnd> {
  const { assignment, host, workspace } = context
  const lookup = await lookUpUser(settings.runAs)
  if (lookup.kind === 'refused') return { kind: 'not_started', message: lookup.why }
  const user = lookup.kind === 'found' ? lookup.user : undefined
  const closed = user === undefined ? undefined : await giveWorkspace(workspace, user)
  if (closed !== undefined) {
    const message = `run_as ${settings.runAs}: this user may not pass ${closed}; chmod o+x it`
    return { kind: 'not_started', message }
  }
  const identity = user === undefined ? {} : { HOME: user.home, USER: user.name }
  const environment = jobEnvironment({
    host: { ...host.environment, ...identity },
    task: settings.env,
    assignment,
    outputFile: workspace.output,
  })
  const workingDirectory = resolveIn(workspace.work, settings.workingDirectory)
  return runProcess({ ...command, workingDirectory, environment, user }, context)
}

/** Relative paths are relative to the workspace. */
export function resolveIn(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path)
}

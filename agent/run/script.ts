/** A `script` task: inline source, or a file on the worker, through an interpreter. */
import { type FileHandle, open, writeFile } from 'node:fs/promises'
import type { ScriptTask } from '../../proto/gen/rota/v1/job.ts'
import { chooseInterpreter, findProgram } from './interpreter.ts'
import { resolveIn, runCommand } from './run-command.ts'
import type { TaskContext } from './task-context.ts'
import type { TaskEnd } from './task-end.ts'

/** Linux reads no more of a `#!` line either. */
const HEAD_BYTES = 256

export async function runScript(task: ScriptTask, context: TaskContext): Promise<TaskEnd> {
  const { host, workspace } = context
  const script = await prepareScript(task, context)
  if (script === undefined) return notStarted('the task has no script')
  const head = await readHead(script.file)
  if (head === undefined) return notStarted(`${script.file} cannot be read on this worker`)
  const [name, ...options] = chooseInterpreter({
    wanted: task.interpreter,
    head,
    path: script.isInline ? '' : script.file,
  })
  const path = task.env['PATH'] ?? host.environment['PATH'] ?? ''
  const program = await findProgram(name, { path, workingDirectory: workspace.work })
  if (program === undefined)
    return notStarted(`${name} is not installed on this worker (PATH ${path})`)
  return runCommand(task, { file: program, args: [...options, script.file, ...task.args] }, context)
}

interface Script {
  readonly file: string
  readonly isInline: boolean
}

async function prepareScript(task: ScriptTask, context: TaskContext): Promise<Script | undefined> {
  const { workspace } = context
  switch (task.source?.$case) {
    case 'inline':
      await writeFile(workspace.script, task.source.value, { mode: 0o700 })
      return { file: workspace.script, isInline: true }
    case 'path':
      return { file: resolveIn(workspace.work, task.source.value), isInline: false }
    case undefined:
      return undefined
  }
}

async function readHead(file: string): Promise<string | undefined> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return undefined
  } finally {
    await handle?.close()
  }
}

function notStarted(message: string): TaskEnd {
  return { kind: 'not_started', message }
}

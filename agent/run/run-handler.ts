/** A `handler` task: a function of this process, by name. */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { HandlerTask } from '../../proto/gen/rota/v1/job.ts'
import { sleep } from '../../shared/clock.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import type { Handler, HandlerContext } from './handlers/handler.ts'
import type { TaskContext } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'

export async function runHandler(
  task: HandlerTask,
  context: TaskContext,
  handlers: HandlerRegistry,
): Promise<TaskEnd> {
  const handler = handlers.get(task.handler)
  if (handler === undefined) {
    return { kind: 'not_started', message: `this worker has no handler ${task.handler}` }
  }
  const { host, stop, workspace } = context
  const output = openSync(workspace.logs.stdout, 'a', 0o600)
  const abort = new AbortController()
  const abandoned = new Promise<TaskEnd>((resolve) => {
    stop.onRequest((graceMs) => {
      abort.abort()
      host.clock.after(graceMs, () => resolve({ kind: 'abandoned' }))
    })
  })
  context.onStarted(undefined)
  const running = invoke(handler, handlerContext(task, context, { output, signal: abort.signal }))
  try {
    return await Promise.race([running, abandoned])
  } finally {
    stop.close()
    // An abandoned one may still write; its end closes the file.
    void running.finally(() => closeSync(output))
  }
}

async function invoke(handler: Handler, context: HandlerContext): Promise<TaskEnd> {
  try {
    return { kind: 'returned', outputs: toJson(await handler(context)) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { kind: 'failed', reason: 'HANDLER_FAILED', message, exitCode: exitCodeOf(error) }
  }
}

/** As JSON has it: a handler may return anything. Throws for what is no JSON object. */
function toJson(outputs: Outputs | undefined): Outputs | undefined {
  if (outputs === undefined) return undefined
  const json: unknown = JSON.parse(JSON.stringify(outputs))
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return { ...json }
  throw new TypeError('the handler returned something that is no object')
}

function exitCodeOf(error: unknown): number | undefined {
  const isCoded = error instanceof Error && 'exitCode' in error && Number.isInteger(error.exitCode)
  return isCoded ? Number(error.exitCode) : undefined
}

function handlerContext(
  task: HandlerTask,
  { assignment, host, onProgress }: TaskContext,
  { output, signal }: { readonly output: number; readonly signal: AbortSignal },
): HandlerContext {
  return {
    payload: task.payload ?? {},
    parameters: assignment.parameters ?? {},
    signal,
    // Into the page cache: as quick as queueing it, and a handler cannot outrun the disk.
    log: (text) => {
      writeSync(output, text)
    },
    progress: (fraction, message = '') => onProgress(fraction, message),
    sleep: (delayMs) => sleep(host.clock, delayMs, signal),
  }
}

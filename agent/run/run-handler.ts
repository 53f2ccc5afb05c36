/** A `handler` task: a function of this process, by name. */
import type { HandlerTask } from '../../proto/gen/rota/v1/job.ts'
import { sleep } from '../../shared/clock.ts'
import { HandlerOutput } from './handler-output.ts'
import type { HandlerRegistry } from './handler-registry.ts'
import type { Handler, HandlerContext } from './handlers/handler.ts'
import type { TaskContext } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'

/** Resolves when it has ended, or was abandoned. */
export function runHandler(
  task: HandlerTask,
  context: TaskContext,
  handlers: HandlerRegistry,
): Promise<TaskEnd> {
  const handler = handlers.get(task.handler)
  if (handler === undefined) {
    const message = `this worker has no handler ${task.handler}`
    return Promise.resolve({ kind: 'not_started', message })
  }
  const { host, stop } = context
  const output = new HandlerOutput(context)
  const abort = new LazyAbort()
  return new Promise((resolve) => {
    const end = (taskEnd: TaskEnd) => {
      output.end()
      stop.close()
      resolve(taskEnd)
    }
    stop.onRequest((graceMs) => {
      abort.abort()
      host.clock.after(graceMs, () => end({ kind: 'abandoned' }))
    })
    context.onStarted(undefined)
    void invoke(handler, handlerContext(task, context, { output, abort })).then((taskEnd) => {
      // An abandoned one may write until here.
      output.close()
      end(taskEnd)
    })
  })
}

/** Few handlers look at their signal, and one costs more than all else about a short attempt. */
class LazyAbort {
  #controller: AbortController | undefined
  #isAborted = false

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#isAborted) this.#controller.abort()
    return this.#controller.signal
  }

  abort(): void {
    this.#isAborted = true
    this.#controller?.abort()
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
  { output, abort }: { readonly output: HandlerOutput; readonly abort: LazyAbort },
): HandlerContext {
  return {
    payload: task.payload ?? {},
    parameters: assignment.parameters ?? {},
    get signal() {
      return abort.signal
    },
    log: (text) => output.write(text),
    progress: (fraction, message = '') => onProgress(fraction, message),
    sleep: (delayMs) => sleep(host.clock, delayMs, abort.signal),
  }
}

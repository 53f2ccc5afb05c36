/**
 * A `handler` task: a function of this process, by name.
 *
 * H1. A short attempt costs little: what few handlers ask for (a signal, a file for output) is made when they do.
 * H2. A handler that does not end when it is asked to is abandoned: its attempt ends, and nothing of it counts any more but
 *     what it still writes to the output that it has.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { HandlerTask } from '../../proto/gen/rota/v1/job.ts'
import { sleep } from '../../shared/clock.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import { type AttemptRun, followOutput, watchAttempt } from './attempt-run.ts'
import { conclude, concludeSilent } from './conclude.ts'
import type { Handler, HandlerContext } from './handlers/handler.ts'
import { progressReporter } from './progress.ts'
import type { Outputs, TaskEnd } from './task-end.ts'
import { makeWorkspace, type Workspace, workspaceOf } from './workspace.ts'

/** Runs it to its end, hands the result over to be reported, and then calls `onEnded`. */
export function runHandler(task: HandlerTask, run: AttemptRun, onEnded: () => void): void {
  const handler = run.services.handlers.get(task.handler)
  const { stop } = run.attempt
  if (handler === undefined || stop.cause !== undefined) {
    const message = handler === undefined ? `this worker has no handler ${task.handler}` : 'stopped'
    concludeSilent({ end: { kind: 'not_started', message }, startTime: undefined }, run, onEnded)
  } else void new HandlerRun(task, run, onEnded).begin(handler)
}

/** What one handler may use while it runs; also taken apart, as `({ log, sleep }) => ...`. */
class HandlerRun implements HandlerContext {
  readonly #task: HandlerTask
  readonly #run: AttemptRun
  readonly #onEnded: () => void
  readonly #startTime: Date
  #hasEnded = false
  #abort: AbortController | undefined
  #progress: HandlerContext['progress'] | undefined
  #unwatch: () => void
  /** Undefined while it has written nothing. */
  #workspace: Workspace | undefined
  #file: number | undefined

  constructor(task: HandlerTask, run: AttemptRun, onEnded: () => void) {
    this.#task = task
    this.#run = run
    this.#onEnded = onEnded
    this.#startTime = run.services.host.clock.now()
    this.#unwatch = watchAttempt(run, undefined)
  }

  get payload(): HandlerContext['payload'] {
    return this.#task.payload ?? {}
  }

  get parameters(): HandlerContext['parameters'] {
    return this.#run.attempt.assignment.parameters ?? {}
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#run.attempt.stop.cause !== undefined) this.#abort.abort()
    }
    return this.#abort.signal
  }

  get log(): HandlerContext['log'] {
    return (text) => this.#write(text)
  }

  get progress(): HandlerContext['progress'] {
    const { attempt, services } = this.#run
    this.#progress ??= progressReporter(attempt, services.outbox, services.host.clock)
    return this.#progress
  }

  get sleep(): HandlerContext['sleep'] {
    return (delayMs) => sleep(this.#run.services.host.clock, delayMs, this.signal)
  }

  /** Resolves when the handler has returned, also an abandoned one. */
  async begin(handler: Handler): Promise<void> {
    const { attempt, services } = this.#run
    attempt.stop.onRequest((graceMs) => {
      this.#abort?.abort()
      services.host.clock.after(graceMs, () => this.#end({ kind: 'abandoned' }))
    })
    services.outbox.begin(attempt, this.#startTime)
    let end: TaskEnd
    try {
      end = { kind: 'returned', outputs: toJson(await handler(this)) }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      end = { kind: 'failed', reason: 'HANDLER_FAILED', message, exitCode: exitCodeOf(error) }
    }
    // An abandoned one may write until here.
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#end(end)
  }

  #end(end: TaskEnd): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#run.attempt.stop.close()
    this.#unwatch()
    const ran = { end, startTime: this.#startTime }
    if (this.#workspace === undefined) concludeSilent(ran, this.#run, this.#onEnded)
    else void conclude(this.#workspace, ran, this.#run).finally(this.#onEnded)
  }

  /** Into the page cache: as quick as queueing it, and a handler cannot outrun the disk. */
  #write(text: string): void {
    // The attempt of an abandoned handler has been reported: nobody would look at a new file.
    if (this.#file === undefined && this.#hasEnded) return
    this.#file ??= this.#openOutput()
    writeSync(this.#file, text)
  }

  /** Makes the workspace and has its output shipped. Throws when the disk does not let it. */
  #openOutput(): number {
    const { attempt, services } = this.#run
    services.store.keep(attempt)
    this.#workspace = workspaceOf(services.attemptsDir, attemptKey(attempt))
    makeWorkspace(this.#workspace)
    followOutput(this.#workspace, this.#run)
    this.#unwatch()
    this.#unwatch = watchAttempt(this.#run, this.#workspace)
    return openSync(this.#workspace.logs.stdout, 'a', 0o600)
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

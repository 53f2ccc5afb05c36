/** An `api` task: one HTTP call made by the worker. The answer's body becomes the attempt's output. */
import { type FileHandle, open } from 'node:fs/promises'
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
import { type ApiRequest, prepareRequest } from './api-request.ts'
import type { TaskContext } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'

/** More of a body is not read, in bytes: a call is no download. */
const BODY_BYTES_MAX = 16 * 1024 * 1024
/** A JSON body up to this is given back as an output, in bytes. */
const JSON_BYTES_MAX = 64 * 1024

export async function runApi(task: ApiTask, context: TaskContext): Promise<TaskEnd> {
  const prepared = prepareRequest(task, context.assignment)
  if (prepared.kind === 'refused') {
    return { kind: 'failed', reason: prepared.reason, message: prepared.why }
  }
  context.onStarted(undefined)
  const startedMs = context.host.clock.monotonicMs()
  const abort = new AbortController()
  context.stop.onRequest(() => abort.abort())
  try {
    const answer = await call(prepared.request, task, abort.signal)
    const body = await saveBody(answer, context)
    const elapsedMs = Math.round(context.host.clock.monotonicMs() - startedMs)
    await note(context, `${describe(prepared.request, answer)} in ${elapsedMs} ms, ${body.note}`)
    return judge(answer, task, body.head)
  } catch (error) {
    const why = describeError(error)
    await note(context, `${prepared.request.method} ${where(prepared.request)}: ${why}`)
    return { kind: 'failed', reason: 'HTTP_FAILED', message: why }
  } finally {
    context.stop.close()
  }
}

function call(request: ApiRequest, task: ApiTask, signal: AbortSignal): Promise<Response> {
  const { method, url, headers, body } = request
  return fetch(url, {
    method,
    headers,
    signal,
    redirect: task.followRedirects ? 'follow' : 'manual',
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  })
}

interface SavedBody {
  /** The beginning, all of it if it is short. */
  readonly head: Buffer
  readonly note: string
}

async function saveBody(answer: Response, { workspace }: TaskContext): Promise<SavedBody> {
  const head: Buffer[] = []
  let bytes = 0
  let file: FileHandle | undefined
  try {
    file = await open(workspace.logs.stdout, 'a', 0o600)
    for await (const chunk of answer.body ?? []) {
      const kept = Buffer.from(chunk).subarray(0, BODY_BYTES_MAX - bytes)
      if (bytes <= JSON_BYTES_MAX) head.push(kept)
      await file.appendFile(kept)
      bytes += kept.length
      // Leaving the loop cancels the rest.
      if (bytes === BODY_BYTES_MAX)
        return { head: Buffer.alloc(0), note: `body cut after ${bytes} bytes` }
    }
  } finally {
    await file?.close()
  }
  return { head: Buffer.concat(head), note: `${bytes} bytes` }
}

function judge(answer: Response, task: ApiTask, head: Buffer): TaskEnd {
  const outputs = outputsOf(answer, head)
  const { expectedStatusCodes: expected } = task
  const isExpected = expected.length === 0 ? answer.ok : expected.includes(answer.status)
  if (isExpected) return { kind: 'returned', outputs }
  const wanted = expected.length === 0 ? '2xx' : expected.join(', ')
  const message = `status ${answer.status} ${answer.statusText}`.trim()
  return {
    kind: 'failed',
    reason: 'HTTP_STATUS',
    message: `${message}, expected ${wanted}`,
    outputs,
  }
}

function outputsOf(answer: Response, head: Buffer): Outputs {
  const contentType = answer.headers.get('content-type') ?? ''
  const outputs = { status: answer.status, content_type: contentType }
  if (head.length > JSON_BYTES_MAX || !/[/+]json\b/i.test(contentType)) return outputs
  try {
    return { ...outputs, body: JSON.parse(head.toString('utf8')) as unknown }
  } catch {
    // A body that is not what its header says is still in the output.
    return outputs
  }
}

/** One line of the attempt's stderr: what Rota has to say of the call. */
async function note({ workspace }: TaskContext, line: string): Promise<void> {
  const file = await open(workspace.logs.stderr, 'a', 0o600)
  try {
    await file.appendFile(`${line}\n`)
  } finally {
    await file.close()
  }
}

function describe(request: ApiRequest, answer: Response): string {
  return `${request.method} ${where(request)} -> ${answer.status} ${answer.statusText}`.trim()
}

/** Without the query, which may hold secrets. */
function where({ url }: ApiRequest): string {
  return `${url.origin}${url.pathname}`
}

/** fetch hides what happened in the cause, and that may be one error per address tried. */
function describeError(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const [first] = cause instanceof AggregateError ? cause.errors : [cause]
  return first instanceof Error ? first.message : String(first)
}

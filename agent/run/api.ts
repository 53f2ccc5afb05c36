/** An `api` task: one HTTP call made by the worker. The answer's body becomes the attempt's output. */
import { type FileHandle, open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type { ApiTask } from '../../proto/gen/rota/v1/job.ts'
import { type ApiRequest, prepareRequest } from './api-request.ts'
import { callHttp } from './http-call.ts'
import { checkOutputs } from './outputs.ts'
import type { TaskContext } from './task-context.ts'
import type { Outputs, TaskEnd } from './task-end.ts'

/** More of a body is not read, in bytes: a call is no download. */
const BODY_BYTES_MAX = 16 * 1024 * 1024
/** A JSON body up to this is given back as an output, in bytes. */
const JSON_BYTES_MAX = 64 * 1024

export async function runApi(task: ApiTask, context: TaskContext): Promise<TaskEnd> {
  const prepared = prepareRequest(task, context.assignment)
  if (prepared.kind === 'refused') return refusal(prepared.reason, prepared.why)
  context.onStarted(undefined)
  const startedMs = context.host.clock.monotonicMs()
  const abort = new AbortController()
  context.stop.onRequest(() => abort.abort())
  try {
    const { followRedirects } = task
    const answer = await callHttp(prepared.request, { followRedirects, signal: abort.signal })
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

function refusal(reason: 'TEMPLATE_INVALID' | 'START_FAILED', message: string): TaskEnd {
  return reason === 'START_FAILED'
    ? { kind: 'not_started', message }
    : { kind: 'failed', reason, message }
}

interface SavedBody {
  /** The beginning, all of it if it is short. */
  readonly head: Buffer
  readonly note: string
}

async function saveBody(answer: IncomingMessage, { workspace }: TaskContext): Promise<SavedBody> {
  const head: Buffer[] = []
  let bytes = 0
  let file: FileHandle | undefined
  try {
    file = await open(workspace.logs.stdout, 'a', 0o600)
    for await (const chunk of answer) {
      const kept = (chunk as Buffer).subarray(0, BODY_BYTES_MAX - bytes)
      if (bytes <= JSON_BYTES_MAX) head.push(kept)
      await file.appendFile(kept)
      bytes += kept.length
      // Leaving the loop cancels the rest.
      if (bytes === BODY_BYTES_MAX) {
        return { head: Buffer.alloc(0), note: `body cut after ${bytes} bytes` }
      }
    }
  } finally {
    await file?.close()
  }
  return { head: Buffer.concat(head), note: `${bytes} bytes` }
}

function judge(answer: IncomingMessage, task: ApiTask, head: Buffer): TaskEnd {
  const outputs = outputsOf(answer, head)
  const { expectedStatusCodes: expected } = task
  const status = answer.statusCode ?? 0
  const isOk = status >= 200 && status < 300
  const isExpected = expected.length === 0 ? isOk : expected.includes(status)
  if (isExpected) return { kind: 'returned', outputs }
  const wanted = expected.length === 0 ? '2xx' : expected.join(', ')
  const message = `status ${status} ${answer.statusMessage ?? ''}`.trim()
  return {
    kind: 'failed',
    reason: 'HTTP_STATUS',
    message: `${message}, expected ${wanted}`,
    outputs,
  }
}

function outputsOf(answer: IncomingMessage, head: Buffer): Outputs {
  const contentType = answer.headers['content-type'] ?? ''
  const outputs = { status: answer.statusCode, content_type: contentType }
  if (head.length > JSON_BYTES_MAX || !/[/+]json\b/i.test(contentType)) return outputs
  try {
    const withBody = { ...outputs, body: JSON.parse(head.toString('utf8')) as unknown }
    return checkOutputs(withBody).kind === 'outputs' ? withBody : outputs
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

function describe(request: ApiRequest, answer: IncomingMessage): string {
  return `${request.method} ${where(request)} -> ${answer.statusCode} ${answer.statusMessage ?? ''}`.trim()
}

/** Without the query, which may hold secrets. */
function where({ url }: ApiRequest): string {
  return `${url.origin}${url.pathname}`
}

/** A connection that was tried at several addresses fails with one error for each. */
function describeError(error: unknown): string {
  const [first] = error instanceof AggregateError ? error.errors : [error]
  return first instanceof Error ? first.message : String(first)
}

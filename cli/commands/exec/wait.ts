import type { Handler } from '../../action.ts'
import { awaitEnd } from '../../await-end.ts'
import { resolveExecution } from '../../execution-id.ts'
import { readDuration } from '../../option-values.ts'
import type { ExecutionOptions } from './get.ts'

type WaitOptions = ExecutionOptions & { readonly timeout?: string; readonly follow?: boolean }

export const waitForExecution: Handler<WaitOptions, readonly [string]> = async (
  invocation,
  { job, timeout, follow },
  text,
) => {
  const timeoutMs = timeout === undefined ? undefined : readDuration('--timeout', timeout)
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  return awaitEnd(invocation, api, { name, timeoutMs, isFollowed: follow === true })
}

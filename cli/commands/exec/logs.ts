import type { Handler } from '../../action.ts'
import { resolveExecution } from '../../execution-id.ts'
import { EXIT } from '../../exit-codes.ts'
import { CONNECTION_LOST, createLogOutput } from '../../log-output.ts'
import { streamLogs } from '../../log-stream.ts'
import { readInteger } from '../../option-values.ts'
import { talk } from '../../output/present.ts'
import type { ExecutionOptions } from './get.ts'

type LogOptions = ExecutionOptions & {
  readonly follow?: boolean
  readonly tail?: string
  readonly attempt?: string
}

const LINES_MAX = 1_000_000
const ATTEMPTS_MAX = 10_000

export const showLogs: Handler<LogOptions, readonly [string]> = async (
  invocation,
  { job, follow, tail, attempt },
  text,
) => {
  const { host, interrupted } = invocation
  const tailLines = tail === undefined ? 0 : readInteger('--tail', tail, { min: 1, max: LINES_MAX })
  const only =
    attempt === undefined ? 0 : readInteger('--attempt', attempt, { min: 1, max: ATTEMPTS_MAX })
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  const output = createLogOutput(invocation, host.stdout)
  await streamLogs(
    {
      api,
      clock: host.clock,
      signal: interrupted,
      write: output.write,
      broken: () => talk(invocation, CONNECTION_LOST),
    },
    { name, follow: follow === true, tailLines, attempt: only },
  )
  await output.end()
  return interrupted.aborted ? EXIT.interrupted : undefined
}

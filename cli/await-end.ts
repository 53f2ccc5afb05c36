/** Waits for the end of an execution, and turns it into an exit code. */
import { Execution, ExecutionState } from '../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  GetExecutionRequest,
} from '../proto/gen/rota/v1/execution_service.ts'
import { assert } from '../shared/assert.ts'
import { backoffDelayMs } from '../shared/backoff.ts'
import { sleep } from '../shared/clock.ts'
import { formatDurationMs } from '../shared/duration.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import type { Invocation } from './action.ts'
import type { Api } from './client.ts'
import {
  describeDuration,
  describeReason,
  describeState,
  describeWorker,
  hasEnded,
} from './commands/exec/describe.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { writeAll } from './host.ts'
import { CONNECTION_LOST, createLogOutput } from './log-output.ts'
import { streamLogs } from './log-stream.ts'
import { toId } from './names.ts'
import { isForMachine, present, talk } from './output/present.ts'
import { escapeControls } from './output/text.ts'

interface Wait {
  /** `executions/{uuid}` */
  readonly name: string
  /** Undefined: as long as it takes. */
  readonly timeoutMs: number | undefined
  /** Its output is shown meanwhile. */
  readonly isFollowed: boolean
}

/** Often at first, since most executions are short; then once a second. */
const POLL = { delayMs: 100, maxDelayMs: 1_000, multiplier: 1.5, jitter: 0 }
/** A coordinator that is away for longer is an error. */
const GIVE_UP_MS = 60_000

/**
 * 0 when it succeeded, 10 when not, 130 after Ctrl-C; throws WAIT_TIMED_OUT (8). The execution goes on in any case but an end.
 */
export async function awaitEnd(invocation: Invocation, api: Api, wait: Wait): Promise<ExitCode> {
  const { clock } = invocation.host
  const timedOut = new AbortController()
  const timer =
    wait.timeoutMs === undefined ? undefined : clock.after(wait.timeoutMs, () => timedOut.abort())
  const signal = AbortSignal.any([invocation.interrupted, timedOut.signal])
  try {
    if (wait.isFollowed) await follow(invocation, api, { ...wait, signal })
    const execution = await pollUntilEnd(invocation, api, { ...wait, signal })
    if (execution !== undefined) return await reportEnd(invocation, execution, wait)
  } finally {
    timer?.cancel()
  }
  if (invocation.interrupted.aborted) {
    await talk(invocation, `\nNo longer waiting. The execution goes on.\n${howToGoOn(wait.name)}`)
    return EXIT.interrupted
  }
  throw new RotaError(
    'WAIT_TIMED_OUT',
    `execution ${toId(wait.name)} has not ended within ${formatDurationMs(wait.timeoutMs ?? 0)}`,
    { hint: `It goes on.\n${howToGoOn(wait.name)}` },
  )
}

type Watch = Wait & { readonly signal: AbortSignal }

async function follow(invocation: Invocation, api: Api, { name, signal }: Watch): Promise<void> {
  const { host } = invocation
  const output = createLogOutput(invocation, isForMachine(invocation) ? host.stderr : host.stdout)
  await streamLogs(
    {
      api,
      clock: host.clock,
      signal,
      write: output.write,
      broken: () => talk(invocation, CONNECTION_LOST),
    },
    { name, follow: true, tailLines: 0, attempt: 0 },
  )
  await output.end()
}

/** Undefined when the signal aborted first. */
async function pollUntilEnd(
  invocation: Invocation,
  api: Api,
  { name, signal, isFollowed }: Watch,
): Promise<Execution | undefined> {
  const { clock } = invocation.host
  let said = ''
  let answeredMs = clock.monotonicMs()
  for (let round = 1; !signal.aborted; round++) {
    const execution = await pollOnce(api, name, signal)
    if (execution !== undefined) {
      answeredMs = clock.monotonicMs()
      if (hasEnded(execution)) return execution
      const now = progressOf(execution)
      if (now !== said && !isFollowed && !isForMachine(invocation)) {
        await talk(invocation, describeProgress(execution))
      }
      said = now
    } else if (clock.monotonicMs() - answeredMs > GIVE_UP_MS) {
      throw new RotaError(
        'UNREACHABLE',
        `${api.address} has not answered for ${formatDurationMs(GIVE_UP_MS)}`,
      )
    }
    await sleep(clock, backoffDelayMs(POLL, round, 0), signal)
  }
  return undefined
}

/** Undefined when the coordinator is away just now, or the wait is over. */
async function pollOnce(
  api: Api,
  name: string,
  signal: AbortSignal,
): Promise<Execution | undefined> {
  try {
    const request = GetExecutionRequest.fromPartial({ name })
    const { execution } = await api.call(ExecutionServiceService.getExecution, request, signal)
    assert(execution !== undefined, 'GetExecution answered without an execution')
    return execution
  } catch (error) {
    if (signal.aborted || (error instanceof RotaError && error.code === 'UNAVAILABLE'))
      return undefined
    throw error
  }
}

/** The same while there is nothing new to say: how busy the workers are changes all the time. */
function progressOf({ state, reason, attempts }: Execution): string {
  const attempt = attempts.at(-1)
  return [state, reason?.code, attempt?.number, attempt?.worker].join()
}

/** `running on worker-3`, `backoff, attempt 1 of 3 failed` */
function describeProgress(execution: Execution): string {
  const worker = describeWorker(execution)
  const reason = describeReason(execution)
  const number = execution.attempts.at(-1)?.number ?? 1
  const attempt = number > 1 ? `, attempt ${number} of ${execution.maxAttempts}` : ''
  const place = execution.state === ExecutionState.RUNNING && worker !== '' ? ` on ${worker}` : ''
  return `${describeState(execution)}${place}${attempt}${reason === '' ? '' : `: ${reason}`}`
}

async function reportEnd(
  invocation: Invocation,
  execution: Execution,
  { name, isFollowed }: Wait,
): Promise<ExitCode> {
  const isGood =
    execution.state === ExecutionState.SUCCEEDED || execution.state === ExecutionState.SKIPPED
  const now = invocation.host.clock.now()
  const line = `${escapeControls(`execution ${toId(name)} ${describeEnd(execution, now)}`)}\n`
  if (isFollowed && !isForMachine(invocation)) await writeAll(invocation.host.stderr, line)
  else {
    await present(invocation, {
      answer: { typeName: 'rota.v1.Execution', codec: Execution, message: execution },
      names: () => [execution.name],
      text: () => line,
    })
  }
  if (!isGood && !isFollowed) {
    await talk(invocation, `hint:  See what it printed:  rota exec logs ${toId(name)}`)
  }
  return isGood ? EXIT.ok : EXIT.executionFailed
}

/** `failed on worker-3 after 1.5s: exit code 3  [EXIT_CODE]` */
function describeEnd(execution: Execution, now: Date): string {
  const worker = describeWorker(execution)
  const took = describeDuration(execution, now)
  const reason = describeReason(execution)
  const parts = [describeState(execution), worker && `on ${worker}`, took && `after ${took}`]
  return parts.filter(Boolean).join(' ') + (reason && `: ${reason}`)
}

function howToGoOn(name: string): string {
  const id = toId(name)
  return [
    `       wait again:  rota exec wait ${id}`,
    `       follow it:   rota exec logs -f ${id}`,
    `       stop it:     rota exec cancel ${id}`,
  ].join('\n')
}

/** `worker drain`, with its progress. */
import {
  DrainWorkerRequest,
  GetWorkerRequest,
  type Worker,
  WorkerServiceService,
  WorkerState,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { assert } from '../../../shared/assert.ts'
import { sleep } from '../../../shared/clock.ts'
import { durationFromMs } from '../../../shared/duration.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { Handler, Invocation } from '../../action.ts'
import type { Api } from '../../client.ts'
import { confirm } from '../../confirm.ts'
import { EXIT, type ExitCode } from '../../exit-codes.ts'
import { toId, toName } from '../../names.ts'
import { readDuration, usageError } from '../../option-values.ts'
import { isForMachine, talk } from '../../output/present.ts'
import { word } from '../../words.ts'
import { describeDrain } from './describe.ts'
import { presentWorker } from './present-worker.ts'

interface DrainOptions {
  readonly deadline?: string
  readonly force?: boolean
  readonly reason?: string
  readonly wait?: boolean
  readonly yes?: boolean
}

const POLL_MS = 500

export const drainWorker: Handler<DrainOptions, readonly [string]> = async (
  invocation,
  options,
  text,
) => {
  const request = readRequest(options, text)
  const question = `Stop what runs on ${toId(request.name)} now? It goes on elsewhere; what may start only once is left uncertain.`
  const isSure = options.yes === true || !request.force
  if (!(await confirm(invocation, { question, isSure }))) return EXIT.error
  const api = await invocation.connect()
  const { worker } = await api.call(WorkerServiceService.drainWorker, request)
  assert(worker !== undefined, 'DrainWorker answered without a worker')
  if (options.wait === true) return awaitDrained(invocation, api, worker)
  await presentWorker(invocation, worker, describe(worker, invocation))
  return EXIT.ok
}

function readRequest({ deadline, force, reason }: DrainOptions, text: string): DrainWorkerRequest {
  if (deadline !== undefined && force === true) {
    throw usageError('--force', 'is a deadline of 0', 'Give either --deadline or --force.')
  }
  return DrainWorkerRequest.fromPartial({
    name: toName('workers', text),
    ...(deadline !== undefined && {
      deadline: durationFromMs(readDuration('--deadline', deadline)),
    }),
    force: force === true,
    reason: reason ?? '',
  })
}

/** 0 when it is drained, 130 after Ctrl-C; the drain itself goes on. */
async function awaitDrained(
  invocation: Invocation,
  api: Api,
  first: Worker,
): Promise<ExitCode | undefined> {
  const { host, interrupted } = invocation
  let worker = first
  let said = ''
  while (worker.state === WorkerState.DRAINING) {
    const now = describeDrain(worker, host.clock.now())
    const count = String(worker.drain?.remainingCount)
    if (count !== said && !isForMachine(invocation)) await talk(invocation, now)
    said = count
    await sleep(host.clock, POLL_MS, interrupted)
    if (interrupted.aborted) return stopWaiting(invocation, worker)
    worker = await look(api, worker)
  }
  if (worker.state !== WorkerState.DRAINED) throw ended(worker)
  await presentWorker(invocation, worker, 'drained')
  return EXIT.ok
}

/** As before when the coordinator is away just now. */
async function look(api: Api, before: Worker): Promise<Worker> {
  try {
    const request = GetWorkerRequest.fromPartial({ name: before.name })
    const { worker } = await api.call(WorkerServiceService.getWorker, request)
    return worker ?? before
  } catch (error) {
    if (error instanceof RotaError && error.code === 'UNAVAILABLE') return before
    throw error
  }
}

async function stopWaiting(invocation: Invocation, { name }: Worker): Promise<ExitCode> {
  const id = toId(name)
  await talk(
    invocation,
    `\nNo longer waiting. The drain goes on.\n       see it:  rota worker get ${id}\n       end it:  rota worker release ${id}`,
  )
  return EXIT.interrupted
}

function ended(worker: Worker): RotaError {
  const message = `worker ${toId(worker.name)} does not drain any more: it is ${word(WorkerState, worker.state)}`
  return new RotaError('WORKER_STATE_CONFLICT', message, {
    hint: 'Somebody released it. Drain it again if that was a mistake.',
  })
}

function describe(worker: Worker, { host }: Invocation): string {
  if (worker.state === WorkerState.DRAINED) return 'is drained already'
  return `drains: ${describeDrain(worker, host.clock.now())}`
}

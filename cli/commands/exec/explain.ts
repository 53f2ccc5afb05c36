/** `exec explain`: why an execution is where it is. */
import { ExecutionState } from '../../../proto/gen/rota/v1/execution.ts'
import {
  ExecutionServiceService,
  ExplainExecutionRequest,
  ExplainExecutionResponse,
  type WorkerVerdict,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import type { Handler } from '../../action.ts'
import { resolveExecution } from '../../execution-id.ts'
import { toId } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { paintState, word } from '../../words.ts'
import type { ExecutionOptions } from './get.ts'

export const explainExecution: Handler<ExecutionOptions, readonly [string]> = async (
  invocation,
  { job },
  text,
) => {
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  const request = ExplainExecutionRequest.fromPartial({ name })
  const message = await api.call(ExecutionServiceService.explainExecution, request)
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ExplainExecutionResponse',
      codec: ExplainExecutionResponse,
      message,
    },
    names: () => [name],
    text: (screen) => render(name, message, screen),
  })
}

function render(name: string, message: ExplainExecutionResponse, screen: Screen): string {
  const details = renderDetails(lines(name, message, screen), screen.width)
  if (message.workers.length === 0) return details
  return `${details}\n${renderTable(columns(), message.workers, screen.width)}`
}

function lines(
  name: string,
  { state, reason, remedies, queuePosition }: ExplainExecutionResponse,
  screen: Screen,
): Detail[] {
  const known = word(ExecutionState, state)
  const isFree = state === ExecutionState.QUEUED && reason === undefined
  return [
    ['execution', toId(name)],
    ['state', known, (line) => paintState(screen, known, line)],
    ['why', isFree ? 'a worker is free for it: it starts in a moment' : reason?.message],
    ['code', reason?.code],
    ['place', queuePosition > 0n ? `${queuePosition} in its queue` : ''],
    ['remedies', remedies.join('\n')],
  ]
}

function columns(): Column<WorkerVerdict>[] {
  return [
    { title: 'WORKER', value: ({ worker }) => toId(worker), shrinkTo: 10 },
    { title: 'FITS', value: describeFit },
    {
      title: 'WHY NOT',
      value: ({ rejections }) => rejections.map(({ message }) => message).join(' '),
      shrinkTo: 30,
    },
  ]
}

/** `now`, `when free`, `not now`, `no` */
function describeFit({ eligible, rejections }: WorkerVerdict): string {
  if (eligible) return 'now'
  switch (rejections[0]?.code) {
    case 'WORKER_BUSY':
      return 'when free'
    case 'WORKER_UNAVAILABLE':
      return 'not now'
    default:
      return 'no'
  }
}

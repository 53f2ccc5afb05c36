import { Execution } from '../../../proto/gen/rota/v1/execution.ts'
import {
  CancelExecutionRequest,
  ExecutionServiceService,
} from '../../../proto/gen/rota/v1/execution_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { resolveExecution } from '../../execution-id.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import { describeState, hasEnded } from './describe.ts'
import type { ExecutionOptions } from './get.ts'

type CancelOptions = ExecutionOptions & { readonly reason?: string; readonly force?: boolean }

export const cancelExecution: Handler<CancelOptions, readonly [string]> = async (
  invocation,
  { job, reason, force },
  text,
) => {
  const api = await invocation.connect()
  const name = await resolveExecution(api, text, job)
  const { execution } = await api.call(
    ExecutionServiceService.cancelExecution,
    CancelExecutionRequest.fromPartial({ name, reason: reason ?? '', force: force === true }),
  )
  assert(execution !== undefined, 'CancelExecution answered without an execution')
  await present(invocation, {
    answer: { typeName: 'rota.v1.Execution', codec: Execution, message: execution },
    names: () => [execution.name],
    text: () =>
      hasEnded(execution)
        ? `execution ${toId(name)} ${describeState(execution)}\n`
        : `execution ${toId(name)} is being stopped; see it end with: rota exec wait ${toId(name)}\n`,
  })
}

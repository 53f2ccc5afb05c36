/** `freeze end` and `freeze delete`. */
import {
  DeleteFreezeRequest,
  DeleteFreezeResponse,
  EndFreezeRequest,
  FreezeServiceService,
} from '../../../proto/gen/rota/v1/freeze_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { present } from '../../output/present.ts'
import { presentFreeze } from './present-freeze.ts'

export const endFreeze: Handler<object, readonly [string]> = async (invocation, _options, name) => {
  const api = await invocation.connect()
  const request = EndFreezeRequest.fromPartial({ name: toName('freezes', name) })
  const { freeze } = await api.call(FreezeServiceService.endFreeze, request)
  assert(freeze !== undefined, 'EndFreeze answered without a freeze')
  await presentFreeze(invocation, freeze, 'ended')
}

export const deleteFreeze: Handler<object, readonly [string]> = async (
  invocation,
  _options,
  text,
) => {
  const name = toName('freezes', text)
  const api = await invocation.connect()
  const request = DeleteFreezeRequest.fromPartial({ name })
  const message = await api.call(FreezeServiceService.deleteFreeze, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.DeleteFreezeResponse', codec: DeleteFreezeResponse, message },
    names: () => [name],
    text: () => `freeze ${toId(name)} deleted\n`,
  })
}

import {
  Freeze,
  Freeze_State,
  FreezeServiceService,
  GetFreezeRequest,
} from '../../../proto/gen/rota/v1/freeze_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { exactTime } from '../../output/time.ts'
import { paintState, word } from '../../words.ts'
import { describeAfter, describeScope } from './describe.ts'

export const getFreeze: Handler<object, readonly [string]> = async (invocation, _options, name) => {
  const api = await invocation.connect()
  const request = GetFreezeRequest.fromPartial({ name: toName('freezes', name) })
  const { freeze } = await api.call(FreezeServiceService.getFreeze, request)
  assert(freeze !== undefined, 'GetFreeze answered without a freeze')
  await present(invocation, {
    answer: { typeName: 'rota.v1.Freeze', codec: Freeze, message: freeze },
    names: () => [freeze.name],
    text: (screen) => renderDetails(freezeLines(freeze, screen), screen.width),
  })
}

function freezeLines(freeze: Freeze, screen: Screen): Detail[] {
  const at = (time: Date | undefined) => time && exactTime(time, screen.now)
  const state = word(Freeze_State, freeze.state)
  return [
    ['freeze', toId(freeze.name)],
    ['state', state, (line) => paintState(screen, state, line)],
    ['reason', freeze.reason],
    ['jobs', describeScope(freeze)],
    ['by hand', freeze.includeManual ? 'refused, too' : ''],
    ['from', at(freeze.startTime)],
    ['until', at(freeze.endTime)],
    ['after', describeAfter(freeze)],
    ['skipped', `${freeze.skippedCount} due times`],
    ['run after it', freeze.executionCount === 0 ? '' : `${freeze.executionCount} of them`],
    ['owner', freeze.owner],
    ['created', at(freeze.createTime)],
  ]
}

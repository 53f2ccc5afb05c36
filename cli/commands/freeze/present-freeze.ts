import { Freeze, Freeze_State } from '../../../proto/gen/rota/v1/freeze_service.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Invocation } from '../../action.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { describeScope } from './describe.ts'

/** A freeze that was changed; `what` follows its name for people: `created`. */
export async function presentFreeze(
  invocation: Invocation,
  freeze: Freeze,
  what: string,
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Freeze', codec: Freeze, message: freeze },
    names: () => [freeze.name],
    text: () => `${escapeControls(`freeze ${toId(freeze.name)} ${what} (${describe(freeze)})`)}\n`,
  })
}

/** `billing.*, until 2027-01-02T06:00:00Z`. */
function describe(freeze: Freeze): string {
  const { endTime, startTime, state } = freeze
  const from =
    state === Freeze_State.PENDING && startTime !== undefined
      ? `from ${isoSeconds(startTime)} `
      : ''
  const until = endTime === undefined ? '' : `until ${isoSeconds(endTime)}`
  return `${describeScope(freeze)}, ${from}${until}`
}

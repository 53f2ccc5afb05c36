import { Calendar } from '../../../proto/gen/rota/v1/calendar.ts'
import type { Invocation } from '../../action.ts'
import { toId } from '../../names.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { describeDays } from './describe.ts'

/** A calendar that was changed; `what` follows its name for people: `created`. */
export async function presentCalendar(
  invocation: Invocation,
  calendar: Calendar,
  what: string,
): Promise<void> {
  await present(invocation, {
    answer: { typeName: 'rota.v1.Calendar', codec: Calendar, message: calendar },
    names: () => [calendar.name],
    text: () => {
      const line = `calendar ${toId(calendar.name)} ${what} (${describeDays(calendar)})`
      return `${escapeControls(line)}\n`
    },
  })
}

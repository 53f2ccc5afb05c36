import {
  CalendarServiceService,
  DeleteCalendarRequest,
  DeleteCalendarResponse,
} from '../../../proto/gen/rota/v1/calendar_service.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readEtag } from '../../option-values.ts'
import { present } from '../../output/present.ts'

export const deleteCalendar: Handler<{ readonly etag?: string }, readonly [string]> = async (
  invocation,
  { etag },
  text,
) => {
  const name = toName('calendars', text)
  const api = await invocation.connect()
  const request = DeleteCalendarRequest.fromPartial({
    name,
    etag: etag === undefined ? '' : readEtag(etag),
  })
  const message = await api.call(CalendarServiceService.deleteCalendar, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.DeleteCalendarResponse', codec: DeleteCalendarResponse, message },
    names: () => [name],
    text: () => `calendar ${toId(name)} deleted\n`,
  })
}

import { Calendar } from '../../../proto/gen/rota/v1/calendar.ts'
import {
  CalendarServiceService,
  ListCalendarsRequest,
  ListCalendarsResponse,
} from '../../../proto/gen/rota/v1/calendar_service.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { relativeTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { describeDays } from './describe.ts'

export const listCalendars: Handler<ListOptions, readonly []> = async (invocation, options) => {
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { calendars, ...rest } = await api.call(
      CalendarServiceService.listCalendars,
      ListCalendarsRequest.fromPartial({
        ...page,
        filter: options.filter ?? '',
        orderBy: options.sort ?? '',
      }),
    )
    return { items: calendars, ...rest }
  })
  const { items, nextPageToken, totalSize } = page
  const calendars = [...items]
  const message = ListCalendarsResponse.fromPartial({ calendars, nextPageToken, totalSize })
  await present(invocation, {
    answer: { typeName: 'rota.v1.ListCalendarsResponse', codec: ListCalendarsResponse, message },
    items: () =>
      items.map((item) => ({ typeName: 'rota.v1.Calendar', codec: Calendar, message: item })),
    names: () => items.map(({ name }) => name),
    text: (screen) => (items.length === 0 ? '' : renderTable(columns(screen), items, screen.width)),
  })
  if (items.length === 0 && !isForMachine(invocation)) {
    await talk(
      invocation,
      options.filter === undefined
        ? 'No calendars yet. Make one:  rota calendar create weekends --weekday sat --weekday sun'
        : 'No calendar matches.',
    )
  }
  await talkOfMore(invocation, page)
}

function columns(screen: Screen): Column<Calendar>[] {
  return [
    { title: 'NAME', value: ({ name }) => toId(name), shrinkTo: 16 },
    { title: 'DAYS', value: describeDays, shrinkTo: 16 },
    { title: 'JOBS', value: ({ jobCount }) => String(jobCount), align: 'right' },
    {
      title: 'UPDATED',
      value: ({ updateTime }) =>
        updateTime === undefined ? '' : relativeTime(updateTime, screen.now),
    },
    ...(screen.isWide
      ? [{ title: 'DESCRIPTION', value: ({ description }: Calendar) => description }]
      : []),
  ]
}

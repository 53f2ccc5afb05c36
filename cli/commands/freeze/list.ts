import {
  Freeze,
  Freeze_State,
  FreezeServiceService,
  ListFreezesRequest,
  ListFreezesResponse,
} from '../../../proto/gen/rota/v1/freeze_service.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { relativeTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { paintState, word } from '../../words.ts'
import { describeAfter, describeScope } from './describe.ts'

export const listFreezes: Handler<ListOptions, readonly []> = async (invocation, options) => {
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { freezes, ...rest } = await api.call(
      FreezeServiceService.listFreezes,
      ListFreezesRequest.fromPartial({
        ...page,
        filter: options.filter ?? '',
        orderBy: options.sort ?? '',
      }),
    )
    return { items: freezes, ...rest }
  })
  const { items, nextPageToken, totalSize } = page
  const message = ListFreezesResponse.fromPartial({ freezes: [...items], nextPageToken, totalSize })
  await present(invocation, {
    answer: { typeName: 'rota.v1.ListFreezesResponse', codec: ListFreezesResponse, message },
    items: () =>
      items.map((item) => ({ typeName: 'rota.v1.Freeze', codec: Freeze, message: item })),
    names: () => items.map(({ name }) => name),
    text: (screen) => (items.length === 0 ? '' : renderTable(columns(screen), items, screen.width)),
  })
  if (items.length === 0 && !isForMachine(invocation)) {
    await talk(
      invocation,
      options.filter === undefined
        ? 'No freezes. Make one:  rota freeze create incident --until "in 2h"'
        : 'No freeze matches.',
    )
  }
  await talkOfMore(invocation, page)
}

function columns(screen: Screen): Column<Freeze>[] {
  const at = (time: Date | undefined) => (time === undefined ? '' : relativeTime(time, screen.now))
  const state = (freeze: Freeze) => word(Freeze_State, freeze.state)
  return [
    { title: 'NAME', value: ({ name }) => toId(name), shrinkTo: 12 },
    { title: 'STATE', value: state, paint: (row, cell) => paintState(screen, state(row), cell) },
    { title: 'JOBS', value: describeScope, shrinkTo: 10 },
    { title: 'FROM', value: ({ startTime }) => at(startTime) },
    { title: 'UNTIL', value: ({ endTime }) => at(endTime) },
    { title: 'AFTER', value: describeAfter },
    { title: 'SKIPPED', value: ({ skippedCount }) => String(skippedCount), align: 'right' },
    ...(screen.isWide
      ? [
          { title: 'OWNER', value: ({ owner }: Freeze) => owner },
          {
            title: 'MANUAL',
            value: ({ includeManual }: Freeze) => (includeManual ? 'refused' : ''),
          },
          { title: 'REASON', value: ({ reason }: Freeze) => reason },
        ]
      : []),
  ]
}

import {
  ListWorkersRequest,
  ListWorkersResponse,
  Worker,
  WorkerServiceService,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { relativeTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { paintState } from '../../words.ts'
import {
  describeDrain,
  describeHealth,
  describeLabels,
  describeLeft,
  describeLoad,
} from './describe.ts'

type WorkerListOptions = ListOptions & { readonly capability?: string }

export const listWorkers: Handler<WorkerListOptions, readonly []> = async (invocation, options) => {
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { workers, ...rest } = await api.call(
      WorkerServiceService.listWorkers,
      ListWorkersRequest.fromPartial({
        ...page,
        filter: options.filter ?? '',
        orderBy: options.sort ?? '',
        capability: options.capability ?? '',
      }),
    )
    return { items: workers, ...rest }
  })
  const { items, nextPageToken, totalSize } = page
  const message = ListWorkersResponse.fromPartial({ workers: [...items], nextPageToken, totalSize })
  await present(invocation, {
    answer: { typeName: 'rota.v1.ListWorkersResponse', codec: ListWorkersResponse, message },
    items: () =>
      items.map((item) => ({ typeName: 'rota.v1.Worker', codec: Worker, message: item })),
    names: () => items.map(({ name }) => name),
    text: (screen) => (items.length === 0 ? '' : renderTable(columns(screen), items, screen.width)),
  })
  if (items.length === 0 && !isForMachine(invocation)) {
    const isFiltered = options.filter !== undefined || options.capability !== undefined
    await talk(
      invocation,
      isFiltered ? 'No worker matches.' : 'No workers yet. Add one:  rota token create',
    )
  }
  await talkOfMore(invocation, page)
}

function columns(screen: Screen): Column<Worker>[] {
  return [
    { title: 'NAME', value: ({ name }) => toId(name), shrinkTo: 10 },
    {
      title: 'HEALTH',
      value: (worker) => `${describeHealth(worker)}${describeLeft(worker)}`,
      shrinkTo: 18,
      paint: (worker, cell) => paintState(screen, describeHealth(worker).split(',')[0] ?? '', cell),
    },
    { title: 'SLOTS', value: ({ usedSlotCount, slotCount }) => `${usedSlotCount}/${slotCount}` },
    { title: 'LOAD', value: describeLoad },
    { title: 'CAPABILITIES', value: ({ capabilities }) => capabilities.join(','), shrinkTo: 12 },
    { title: 'LABELS', value: ({ labels }) => describeLabels(labels), shrinkTo: 8 },
    {
      title: 'SEEN',
      value: ({ lastHeartbeatTime: time }) =>
        time === undefined ? '' : relativeTime(time, screen.now),
    },
    ...(screen.isWide
      ? [
          { title: 'DRAIN', value: (worker: Worker) => describeDrain(worker, screen.now) },
          { title: 'REASON', value: ({ stateReason }: Worker) => stateReason },
          { title: 'HOST', value: ({ hostname }: Worker) => hostname },
          { title: 'PLATFORM', value: ({ platform }: Worker) => platform },
          { title: 'AGENT', value: ({ agentVersion }: Worker) => agentVersion },
          { title: 'HANDLERS', value: ({ handlers }: Worker) => handlers.join(',') },
        ]
      : []),
  ]
}

import { Job, JobState } from '../../../proto/gen/rota/v1/job.ts'
import {
  JobServiceService,
  ListJobsRequest,
  ListJobsResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { isForMachine, present, talk } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { relativeTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { paintState, word } from '../../words.ts'
import { describeKind, describeTask, describeWhen } from './describe.ts'

type JobListOptions = ListOptions & { readonly query?: string }

export const listJobs: Handler<JobListOptions, readonly []> = async (invocation, options) => {
  const api = await invocation.connect()
  const page = await collectPages(options, async (page) => {
    const { jobs, ...rest } = await api.call(
      JobServiceService.listJobs,
      ListJobsRequest.fromPartial({
        ...page,
        filter: options.filter ?? '',
        orderBy: options.sort ?? '',
        query: options.query ?? '',
      }),
    )
    return { items: jobs, ...rest }
  })
  const { items, nextPageToken, totalSize } = page
  const response = ListJobsResponse.fromPartial({ jobs: [...items], nextPageToken, totalSize })
  await present(invocation, {
    answer: { typeName: 'rota.v1.ListJobsResponse', codec: ListJobsResponse, message: response },
    items: () => items.map((message) => ({ typeName: 'rota.v1.Job', codec: Job, message })),
    names: () => items.map(({ name }) => name),
    text: (screen) => (items.length === 0 ? '' : renderTable(columns(screen), items, screen.width)),
  })
  if (items.length === 0 && !isForMachine(invocation)) {
    const isFiltered = options.filter !== undefined || options.query !== undefined
    await talk(
      invocation,
      isFiltered
        ? 'No job matches.'
        : 'No jobs yet. Make one:  rota job create hello --command "date" --schedule "every 10s"',
    )
  }
  await talkOfMore(invocation, page)
}

function columns(screen: Screen): Column<Job>[] {
  const at = (time: Date | undefined) => (time === undefined ? '' : relativeTime(time, screen.now))
  const state = (job: Job) => word(JobState, job.state)
  return [
    { title: 'NAME', value: ({ name }) => toId(name), shrinkTo: 16 },
    { title: 'STATE', value: state, paint: (job, cell) => paintState(screen, state(job), cell) },
    { title: 'KIND', value: describeKind },
    { title: 'WHEN', value: ({ spec }) => describeWhen(spec), shrinkTo: 10 },
    { title: 'NEXT', value: ({ nextFireTime }) => at(nextFireTime) },
    { title: 'LAST', value: ({ lastFireTime }) => at(lastFireTime) },
    ...(screen.isWide
      ? [
          { title: 'ZONE', value: ({ spec }: Job) => spec?.schedule?.timeZone ?? '' },
          { title: 'VERSION', value: ({ version }: Job) => String(version) },
          { title: 'TASK', value: ({ spec }: Job) => describeTask(spec?.task) },
        ]
      : []),
  ]
}

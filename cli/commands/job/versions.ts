/** `job versions` and `job rollback`: what a job was, and making it so again. */
import {
  JobServiceService,
  JobVersion,
  ListJobVersionsResponse,
  RollbackJobRequest,
  RollbackJobResponse,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { toName } from '../../names.ts'
import { readInteger, usageError } from '../../option-values.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { type Column, renderTable } from '../../output/table.ts'
import { relativeTime } from '../../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../../paging.ts'
import { describeTask, describeWhen } from './describe.ts'
import { presentDryRun, presentJob } from './present-job.ts'

type VersionsOptions = Pick<ListOptions, 'limit' | 'all'>

export const listVersions: Handler<VersionsOptions, readonly [string]> = async (
  invocation,
  options,
  text,
) => {
  const name = toName('jobs', text)
  const api = await invocation.connect()
  const page = await collectPages(options, async ({ pageSize, pageToken }) => {
    const request = { name, pageSize, pageToken }
    const { nextPageToken, versions } = await api.call(JobServiceService.listJobVersions, request)
    return { items: versions, nextPageToken, totalSize: 0 }
  })
  const { items, nextPageToken } = page
  const message = ListJobVersionsResponse.fromPartial({ versions: [...items], nextPageToken })
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ListJobVersionsResponse',
      codec: ListJobVersionsResponse,
      message,
    },
    items: () =>
      items.map((version) => {
        return { typeName: 'rota.v1.JobVersion', codec: JobVersion, message: version }
      }),
    names: () => items.map(({ version }) => String(version)),
    text: (screen) => renderTable(columns(screen), items, screen.width),
  })
  await talkOfMore(invocation, page)
}

function columns({ now }: Screen): Column<JobVersion>[] {
  return [
    { title: 'VERSION', value: ({ version }) => String(version), align: 'right' },
    {
      title: 'SAVED',
      value: ({ createTime }) => (createTime === undefined ? '' : relativeTime(createTime, now)),
    },
    { title: 'BY', value: ({ createdBy }) => createdBy, shrinkTo: 12 },
    { title: 'WHEN', value: ({ spec }) => describeWhen(spec), shrinkTo: 10 },
    { title: 'TASK', value: ({ spec }) => describeTask(spec?.task), shrinkTo: 12 },
    { title: 'NOTE', value: ({ note }) => note, shrinkTo: 12 },
  ]
}

interface RollbackOptions {
  readonly to?: string
  readonly note?: string
  readonly dryRun?: true
}

const VERSION_MAX = 2 ** 31 - 1

export const rollbackJob: Handler<RollbackOptions, readonly [string]> = async (
  invocation,
  { dryRun, note, to },
  name,
) => {
  if (to === undefined) {
    throw usageError('--to', 'is missing', 'Versions are listed by `rota job versions NAME`.')
  }
  const request = RollbackJobRequest.fromPartial({
    name: toName('jobs', name),
    version: readInteger('--to', to, { min: 1, max: VERSION_MAX }),
    note: note ?? '',
    validateOnly: dryRun === true,
  })
  const api = await invocation.connect()
  const message = await api.call(JobServiceService.rollbackJob, request)
  const { job } = message
  assert(job !== undefined, 'RollbackJob answered without a job')
  const answer = { typeName: 'rota.v1.RollbackJobResponse', codec: RollbackJobResponse, message }
  await (dryRun
    ? presentDryRun(invocation, answer, { job, done: `would be as in version ${to} again` })
    : presentJob(invocation, job, `is as in version ${to} again, saved as version ${job.version}`))
}

/** `rota upcoming` and `rota job upcoming`: what is due next, and how dense it is. */
import type { Command } from 'commander'
import {
  JobServiceService,
  ListUpcomingRunsRequest,
  ListUpcomingRunsResponse,
  UpcomingRun,
} from '../../proto/gen/rota/v1/job_service.ts'
import { durationFromMs, durationToMs, formatDurationMs } from '../../shared/duration.ts'
import { isoSeconds } from '../../shared/rfc-3339.ts'
import { addExamples, type Handler, type Invocation, type Run, setAction } from '../action.ts'
import { toId, toName } from '../names.ts'
import { readDuration } from '../option-values.ts'
import { isForMachine, present, talk } from '../output/present.ts'
import type { Screen } from '../output/screen.ts'
import { type Column, renderTable } from '../output/table.ts'
import { relativeTime } from '../output/time.ts'
import { collectPages, type ListOptions, talkOfMore } from '../paging.ts'
import { renderDensity } from './upcoming/histogram.ts'

interface UpcomingOptions extends Pick<ListOptions, 'filter' | 'limit' | 'all'> {
  readonly within?: string
  readonly job?: string
  readonly density?: true
  readonly bucket?: string
}

/** `rota upcoming` */
export function registerUpcoming(program: Command, run: Run): void {
  const upcoming = program
    .command('upcoming')
    .description('List what is due next, of all jobs, or show how dense it is.')
    .option('--job <name>', 'of this job only')
    .option('--filter <expression>', "of the jobs that match, e.g. 'labels.team = ops'")
  addUpcomingOptions(upcoming)
  addExamples(upcoming, 'rota upcoming --within 2h', 'rota upcoming --within 7d --density')
  setAction(upcoming, run, listUpcoming)
}

export function addUpcomingOptions(command: Command): Command {
  return command
    .option('--within <duration>', 'how far to look ahead (default 24h)')
    .option('--density', 'a histogram of the runs and of the slots they are expected to take')
    .option('--bucket <duration>', 'the length of a bar of the histogram (default: a round one)')
    .option('--limit <count>', 'at most this many (default 50)')
    .option('--all', 'as many as there are')
}

export const listUpcoming: Handler<UpcomingOptions, readonly []> = (invocation, options) =>
  showUpcoming(invocation, options, options.job)

export const listUpcomingOfJob: Handler<UpcomingOptions, readonly [string]> = (
  invocation,
  options,
  job,
) => showUpcoming(invocation, options, job)

const WITHIN = '24h'

async function showUpcoming(
  invocation: Invocation,
  options: UpcomingOptions,
  job: string | undefined,
): Promise<undefined> {
  const withinMs = readDuration('--within', options.within ?? WITHIN)
  const { bucket, filter = '' } = options
  const request = ListUpcomingRunsRequest.fromPartial({
    job: job === undefined ? '' : toName('jobs', job),
    filter,
    endTime: new Date(invocation.host.clock.now().getTime() + withinMs),
    bucket: bucket === undefined ? undefined : durationFromMs(readDuration('--bucket', bucket)),
  })
  await (options.density === true
    ? showDensity(invocation, request)
    : showRuns(invocation, options, request))
}

async function showRuns(
  invocation: Invocation,
  options: UpcomingOptions,
  request: ListUpcomingRunsRequest,
): Promise<void> {
  const api = await invocation.connect()
  let last = ListUpcomingRunsResponse.fromPartial({})
  const page = await collectPages(options, async (page) => {
    last = await api.call(JobServiceService.listUpcomingRuns, { ...request, ...page })
    return { items: last.upcomingRuns, nextPageToken: last.nextPageToken, totalSize: 0 }
  })
  await presentRuns(invocation, { ...last, upcomingRuns: [...page.items] })
  if (isForMachine(invocation)) return
  if (page.items.length === 0) await talk(invocation, 'Nothing is due.')
  await talkOfMore(invocation, page)
  if (last.truncatedScheduleCount > 0) {
    const until = isoSeconds(last.completeUntil ?? new Date(0))
    await talk(
      invocation,
      `${last.truncatedScheduleCount} more schedules than one answer looks at: runs after ${until} are missing. Use --filter or a shorter --within.`,
    )
  }
}

async function presentRuns(
  invocation: Invocation,
  message: ListUpcomingRunsResponse,
): Promise<void> {
  const { upcomingRuns } = message
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ListUpcomingRunsResponse',
      codec: ListUpcomingRunsResponse,
      message,
    },
    items: () =>
      upcomingRuns.map((run) => {
        return { typeName: 'rota.v1.UpcomingRun', codec: UpcomingRun, message: run }
      }),
    names: () => upcomingRuns.map(({ job }) => job),
    text: (screen) =>
      upcomingRuns.length === 0 ? '' : renderTable(columns(screen), upcomingRuns, screen.width),
  })
}

function columns({ now }: Screen): Column<UpcomingRun>[] {
  return [
    { title: 'DUE', value: ({ scheduleTime }) => (scheduleTime ? isoSeconds(scheduleTime) : '') },
    {
      title: 'IN',
      value: ({ scheduleTime }) =>
        scheduleTime ? relativeTime(scheduleTime, now).replace(/^in /, '') : '',
    },
    { title: 'JOB', value: ({ job }) => toId(job), shrinkTo: 20 },
    {
      title: 'TAKES',
      value: ({ expectedDuration }) =>
        expectedDuration ? formatDurationMs(durationToMs(expectedDuration)) : '',
    },
    { title: 'SLOTS', value: ({ slotCount }) => String(slotCount), align: 'right' },
  ]
}

/** The runs themselves are not wanted; a page of one is the smallest. */
async function showDensity(
  invocation: Invocation,
  request: ListUpcomingRunsRequest,
): Promise<void> {
  const api = await invocation.connect()
  const message = await api.call(JobServiceService.listUpcomingRuns, {
    ...request,
    pageSize: 1,
    withDensity: true,
  })
  await present(invocation, {
    answer: {
      typeName: 'rota.v1.ListUpcomingRunsResponse',
      codec: ListUpcomingRunsResponse,
      message,
    },
    names: () => [],
    text: (screen) => renderDensity(message.density, screen),
  })
}

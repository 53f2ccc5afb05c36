/** What is due in a window, in order of time then job, with how dense it is. */
import type {
  ListUpcomingRunsRequest,
  ListUpcomingRunsResponse,
} from '../../proto/gen/rota/v1/job_service.ts'
import * as api from '../../proto/gen/rota/v1/job_service.ts'
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { checkDuration, checkTime, violation } from '../../shared/errors/check-field.ts'
import { type FieldViolation, refuseViolations } from '../../shared/errors/rota-error.ts'
import { parseResourceName, resourceName } from '../../shared/wire.ts'
import { databaseNow } from '../definition/definition-queries.ts'
import { requireJob } from '../definition/find-job.ts'
import { chooseBucketMs, countBuckets } from '../outlook/density.ts'
import { listUpcoming, readDensity, type UpcomingRun } from '../outlook/upcoming.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { UPCOMING_LIST } from './lists.ts'
import type { ServiceDeps } from './service-deps.ts'

const DAY_MS = 86_400_000
const WINDOW_MS = DAY_MS
const WINDOW_MS_MAX = 366 * DAY_MS
const BUCKETS_MAX = 1_000

export async function upcoming(
  deps: ServiceDeps,
  request: ListUpcomingRunsRequest,
): Promise<ListUpcomingRunsResponse> {
  const job = request.job === '' ? '' : parseResourceName('jobs', request.job, 'job')
  if (job !== '') await requireJob(deps.db, job)
  const { bucket, startTime, endTime } = request
  const args = { job, startTime, endTime }
  const listRequest = { ...request, orderBy: '' }
  const page = readPage(UPCOMING_LIST, listRequest, args)
  const window = readWindow(request, { after: page.after, now: await databaseNow(deps.db) })
  refuseViolations(checkSpan(request, window))
  const choice = { condition: page.condition, ...(job === '' ? {} : { job }) }
  const found = await listUpcoming(deps, { ...window, choice, limit: page.limit - 1 })
  const rows = found.hasMore ? [...found.runs, BEHIND] : found.runs
  const { rows: shown, nextPageToken } = finishPage(page, rows, {
    request: listRequest,
    args,
    keys: (run) => [run.atMs, run.job, window.startMs, window.endMs].map(String),
  })
  const bucketMs = durationToMs(bucket) ?? chooseBucketMs(window.endMs - window.startMs)
  const density = { ...window, choice, bucketMs }
  return api.ListUpcomingRunsResponse.fromPartial({
    upcomingRuns: shown.map(toUpcomingRun),
    nextPageToken,
    startTime: new Date(window.startMs),
    endTime: new Date(window.endMs),
    truncatedScheduleCount: found.leftCount,
    completeUntil: new Date(found.completeUntilMs),
    density: request.withDensity ? await toDensity(deps, density) : undefined,
  })
}

/** Stands for the runs of the next page. */
const BEHIND: UpcomingRun = { job: '', atMs: 0, slots: 0, expectedMs: undefined }

interface Window {
  readonly startMs: number
  readonly endMs: number
  readonly after: { readonly atMs: number; readonly job: string } | undefined
}

/** The next pages keep to the window of the first, whatever the clock says by then. */
function readWindow(
  request: ListUpcomingRunsRequest,
  { after, now }: { readonly after: readonly string[] | undefined; readonly now: Date },
): Window {
  if (after !== undefined) {
    const [atMs, job = '', startMs, endMs] = after
    return {
      startMs: Number(startMs),
      endMs: Number(endMs),
      after: { atMs: Number(atMs), job },
    }
  }
  const { startTime, endTime } = request
  refuseViolations([...checkTime('start_time', startTime), ...checkTime('end_time', endTime)])
  const startMs = Math.max(startTime?.getTime() ?? 0, now.getTime())
  const endMs = endTime?.getTime() ?? startMs + WINDOW_MS
  return { startMs, endMs, after: undefined }
}

function checkSpan(
  { bucket }: ListUpcomingRunsRequest,
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): FieldViolation[] {
  if (endMs <= startMs) {
    const hint = 'What has passed is in the ledger: rota job occurrences NAME.'
    return [violation('end_time', { message: 'is not after start_time and now', hint })]
  }
  if (endMs - startMs > WINDOW_MS_MAX) {
    return [violation('end_time', { message: 'is more than 366 days after start_time' })]
  }
  const wrong = checkDuration('bucket', bucket, 1_000)
  if (bucket === undefined || wrong.length > 0) return wrong
  const bucketMs = durationToMs(bucket)
  if (bucketMs % 1_000 !== 0) return [violation('bucket', { message: 'is not in whole seconds' })]
  if (countBuckets({ startMs, endMs, bucketMs }) <= BUCKETS_MAX) return []
  const message = `cuts the window into more than ${BUCKETS_MAX} parts`
  return [violation('bucket', { message, hint: 'Give a longer bucket or a shorter window.' })]
}

function toUpcomingRun({ atMs, expectedMs, job, slots }: UpcomingRun): api.UpcomingRun {
  return {
    job: resourceName('jobs', job),
    scheduleTime: new Date(atMs),
    expectedDuration: expectedMs === undefined ? undefined : durationFromMs(expectedMs),
    slotCount: slots,
  }
}

async function toDensity(
  deps: ServiceDeps,
  listing: Parameters<typeof readDensity>[1],
): Promise<api.UpcomingDensity> {
  const [density, fleet] = await Promise.all([readDensity(deps, listing), deps.readFleet()])
  const connected = fleet.filter((row) => row.silent_ms !== null && row.state === 'active')
  return api.UpcomingDensity.fromPartial({
    buckets: density.buckets.map(({ startMs, runs, expectedSlots }) => ({
      startTime: new Date(startMs),
      runCount: BigInt(runs),
      expectedSlots,
    })),
    bucket: durationFromMs(listing.bucketMs),
    jobCount: density.jobCount,
    unknownDurationJobCount: density.unknownDurationJobCount,
    availableSlotCount: connected.reduce((sum, { slots }) => sum + slots, 0),
    truncatedScheduleCount: density.truncatedCount,
    countedUntil: new Date(density.countedUntilMs),
  })
}

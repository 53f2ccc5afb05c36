import {
  GetWorkerStatsRequest,
  GetWorkerStatsResponse,
  WorkerServiceService,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs, durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { readDuration } from '../../option-values.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import { percent } from './describe.ts'

interface StatsOptions {
  readonly window?: string
}

const WINDOW_MS = 3_600_000

export const getWorkerStats: Handler<StatsOptions, readonly [string]> = async (
  invocation,
  { window },
  text,
) => {
  const name = toName('workers', text)
  const windowMs = window === undefined ? WINDOW_MS : readDuration('--window', window)
  const api = await invocation.connect()
  const request = GetWorkerStatsRequest.fromPartial({ name, window: durationFromMs(windowMs) })
  const message = await api.call(WorkerServiceService.getWorkerStats, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.GetWorkerStatsResponse', codec: GetWorkerStatsResponse, message },
    names: () => [name],
    text: (screen) => renderDetails(statsLines(toId(name), windowMs, message), screen.width),
  })
}

function statsLines(id: string, windowMs: number, stats: GetWorkerStatsResponse): Detail[] {
  const p95 = durationToMs(stats.durationP95)
  return [
    ['worker', id],
    ['window', `the last ${formatDurationMs(windowMs)}`],
    ['attempts', `${stats.succeededCount} succeeded, ${stats.failedCount} failed`],
    ['now', `${stats.runningCount} running`],
    ['busy', `${percent(stats.busyRatio)} of the time of its slots`],
    ['takes', p95 === undefined ? '' : `${formatDurationMs(p95)} (95th percentile)`],
    ['connected', stats.reconnectCount === 1n ? 'once' : `${stats.reconnectCount} times`],
  ]
}

/**
 * Shows each execution that ends, while a person watches.
 *
 * F1. Each is shown once, in the order in which they ended.
 * F2. One that is recorded late, up to 10 s after its end, is shown too.
 */
import type { Execution } from '../../proto/gen/rota/v1/execution.ts'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { ExecutionServiceService } from '../../proto/gen/rota/v1/execution_service.ts'
import { formatDurationMs } from '../../shared/duration.ts'
import type { Api } from '../client.ts'
import { toId } from '../names.ts'
import type { Screen } from '../output/screen.ts'
import { escapeControls, truncate } from '../output/text.ts'
import { timeOfDay } from '../output/time.ts'
import { paintState, word } from '../words.ts'

const LATE_MS = 10_000
/** More than these in one round are only counted. */
const PAGE_SIZE = 50

/** The executions that end, as lines. */
export interface Feed {
  /** Asks once; the lines of what has ended since the last time. Throws RotaError. */
  readNew(): Promise<string[]>
}

/** A feed of what ends from `since` on. */
export function createFeed(api: Pick<Api, 'call'>, since: Date, screen: () => Screen): Feed {
  let seen = new Set<string>()
  let newest = since
  return {
    async readNew() {
      const from = new Date(Math.max(since.getTime(), newest.getTime() - LATE_MS))
      const response = await api.call(ExecutionServiceService.listExecutions, {
        job: '',
        pageSize: PAGE_SIZE,
        pageToken: '',
        filter: `end_time >= "${from.toISOString()}"`,
        orderBy: 'create_time desc',
        readMask: undefined,
      })
      const ended = response.executions
        .filter(hasEnded)
        .sort((a, b) => a.endTime.getTime() - b.endTime.getTime())
      const fresh = ended.filter(({ name }) => !seen.has(name))
      newest = ended.at(-1)?.endTime ?? newest
      seen = new Set(ended.map(({ name }) => name))
      const isCut = response.nextPageToken !== '' && fresh.length === PAGE_SIZE
      const more = isCut ? ['          ... and more; see `npx rota exec list`'] : []
      return [...fresh.map((execution) => renderEnd(execution, screen())), ...more]
    },
  }
}

type Ended = Execution & { readonly endTime: Date }

function hasEnded(execution: Execution): execution is Ended {
  return execution.endTime !== undefined
}

/** `10:15:02  samples.disk-usage     worker-3   succeeded  0.2s` */
export function renderEnd(execution: Ended, screen: Screen): string {
  const { endTime, startTime, job, attempts, state, reason } = execution
  const outcome = word(ExecutionState, state)
  const took =
    startTime === undefined ? '' : formatDurationMs(endTime.getTime() - startTime.getTime())
  const isFine = state === ExecutionState.SUCCEEDED
  const why = isFine || reason === undefined ? '' : `  ${escapeControls(reason.message)}`
  const line = [
    timeOfDay(endTime),
    toId(job).padEnd(22),
    toId(attempts.at(-1)?.worker ?? '').padEnd(9),
    outcome.padEnd(9),
    `${took}${why}`,
  ].join('  ')
  const cut = screen.width === undefined ? line : truncate(line, screen.width)
  return cut.replace(outcome, paintState(screen, outcome))
}

/** What a change does to the due times of a job, as the API tells it. */
import { ScheduleImpact } from '../../proto/gen/rota/v1/job_service.ts'
import type { Deps } from '../deps.ts'
import { countNeighbours } from '../outlook/neighbours.ts'
import { foreseeImpact, isScheduleChange } from '../outlook/schedule-impact.ts'
import type { JobRow } from '../query/job-queries.ts'

export interface ImpactOf {
  readonly before?: JobRow | undefined
  /** Undefined: it is deleted. */
  readonly after?: JobRow | undefined
  readonly validateOnly: boolean
}

/** All of it before a change, and after one what needs no look at other jobs; undefined when nothing of it has changed. */
export async function impactOf(
  deps: Deps,
  { before, after, validateOnly }: ImpactOf,
): Promise<ScheduleImpact | undefined> {
  if (!validateOnly && !isScheduleChange(before, after)) return undefined
  const now = after?.updated_at ?? before?.updated_at ?? deps.clock.now()
  const impact = foreseeImpact(before, after, now)
  const name = after?.name ?? ''
  const neighbours = validateOnly ? await countNeighbours(deps, name, impact.nextAfter) : []
  return ScheduleImpact.fromPartial({
    nextBefore: [...impact.nextBefore],
    nextAfter: impact.nextAfter.map((scheduleTime, index) => ({
      scheduleTime,
      otherJobCount: neighbours[index]?.count,
      isTruncated: neighbours[index]?.isTruncated ?? false,
    })),
    pastExecutionCount: impact.pastExecutionCount,
    excludeCalendars: [...impact.excludeCalendars],
    onlyCalendars: [...impact.onlyCalendars],
    freezes: [...impact.freezes],
    dstSurprises: impact.dstSurprises.map(({ at, date, message }) => {
      return { changeTime: new Date(at * 1_000), date, message }
    }),
    warnings: [...impact.warnings],
  })
}

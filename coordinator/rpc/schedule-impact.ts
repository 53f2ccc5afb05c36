/** What a change does to the due times of a job, as the API tells it. */
import { ScheduleImpact } from '../../proto/gen/rota/v1/job_service.ts'
import { toSaved } from '../definition/saved-job.ts'
import type { Deps } from '../deps.ts'
import { countNeighbours } from '../outlook/neighbours.ts'
import { readRestraints } from '../outlook/restraints.ts'
import {
  type Foresight,
  foreseeImpact,
  isScheduleChange,
  scheduleOf,
} from '../outlook/schedule-impact.ts'
import type { JobRow } from '../query/job-queries.ts'

export interface ImpactOf {
  readonly before?: JobRow | undefined
  /** Undefined: it is deleted. */
  readonly after?: JobRow | undefined
  readonly validateOnly: boolean
}

/** With what calendars, freezes, pauses and skips leave of the due times. */
async function foresightOf(
  { db }: Deps,
  { after, before, now }: Pick<ImpactOf, 'before' | 'after'> & { readonly now: Date },
): Promise<Foresight<JobRow>> {
  const rows = [before, after].flatMap((row) => row ?? [])
  const scheduled = rows.flatMap((row) => {
    const schedule = scheduleOf(row)
    return schedule === undefined ? [] : [{ job: toSaved(row), schedule }]
  })
  const restraints = await readRestraints(db, scheduled)
  return {
    now,
    runsAfter: (row, schedule, from) => restraints.runsAfter(toSaved(row), schedule, from),
    restraintsOf: (row, schedule) =>
      row === undefined ? NO_RESTRAINTS : restraints.of(toSaved(row), schedule),
  }
}

const NO_RESTRAINTS = { excludeCalendars: [], onlyCalendars: [], freezes: [] } as const

/** All of it before a change, and after one what needs no look at other jobs; undefined when nothing of it has changed. */
export async function impactOf(
  deps: Deps,
  { before, after, validateOnly }: ImpactOf,
): Promise<ScheduleImpact | undefined> {
  if (!validateOnly && !isScheduleChange(before, after)) return undefined
  const now = after?.updated_at ?? before?.updated_at ?? deps.clock.now()
  const impact = foreseeImpact(before, after, await foresightOf(deps, { before, after, now }))
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

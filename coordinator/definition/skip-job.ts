/** Skipping the next runs of a job, and taking that back. */
import type { SkipJobRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { checkInteger, checkLength, refuseUnless } from '../../shared/errors/check-field.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { readUpcomingRuns } from '../calendar/upcoming-runs.ts'
import type { Deps } from '../deps.ts'
import { recordJobEvents } from '../events/record-event-queries.ts'
import type { JobRow } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import { databaseNow, lockJob, skipRuns } from './definition-queries.ts'
import { requireJob } from './find-job.ts'
import type { SavedJob } from './save-spec.ts'
import { toSaved } from './saved-job.ts'
import type { SwitchJob } from './switch-job.ts'

export interface SkipJob extends Omit<SwitchJob, 'validateOnly'> {
  /** 0 skips none of them any more. */
  readonly count: number
  readonly reason: string
}

export interface SkippedJob {
  readonly job: JobRow
  /** The first of them, as things are now. */
  readonly skippedTimes: readonly Date[]
}

const COUNT_MAX = 1_000
const REASON_BYTES_MAX = 1_024
const TOLD_MAX = 100

/** Refuses what cannot be skipped. */
export function readSkip(request: SkipJobRequest, who: Pick<SkipJob, 'name' | 'actor'>): SkipJob {
  const { count, reason, undo } = request
  refuseViolations([
    ...checkInteger('count', count, { min: 0, max: COUNT_MAX }),
    ...refuseUnless(!undo || count === 0, 'undo', { message: 'takes no count' }),
    ...checkLength('reason', reason, REASON_BYTES_MAX),
  ])
  return { ...who, reason, count: undo ? 0 : count || 1 }
}

/** The next `count` runs from now on get a row in the ledger, and nothing else. It replaces what was asked for before. */
export async function skipJob(deps: Deps, request: SkipJob): Promise<SkippedJob> {
  const { actor, count, name, reason } = request
  return deps.db.transaction().execute(async (tx) => {
    await lockJob(tx, name)
    const job = await requireJob(tx, name)
    const now = await databaseNow(tx)
    const { runAt, skippedTimes } = await findSkipped(tx, toSaved(job), { now, count })
    if (count > 0 && skippedTimes.length === 0) {
      throw new RotaError('JOB_HAS_NO_RUNS', `job ${name} has no scheduled run to skip`)
    }
    const note = [`asked for by ${actor}`, reason].filter(Boolean).join(': ')
    await skipRuns(tx, job.id, { count, after: now, note, runAt })
    const message = count === 0 ? 'skips no run any more' : `skips the next ${count}`
    await recordJobEvents(tx, [job.id], { change: 'updated', actor, message })
    return { job: await requireJob(tx, name), skippedTimes }
  })
}

async function findSkipped(
  tx: Db,
  job: SavedJob,
  { now, count }: { readonly now: Date; readonly count: number },
): Promise<{ readonly runAt: Date | undefined; readonly skippedTimes: readonly Date[] }> {
  const { schedule } = job.spec
  if (schedule === undefined) return { runAt: undefined, skippedTimes: [] }
  const running = { ...job, schedule, skip: undefined }
  const runsOf = await readUpcomingRuns(tx, [running])
  const skippedTimes: Date[] = []
  let left = count
  for (const run of runsOf(running, now)) {
    if (left === 0) return { runAt: run, skippedTimes }
    left -= 1
    if (skippedTimes.length < TOLD_MAX) skippedTimes.push(run)
  }
  return { runAt: undefined, skippedTimes }
}

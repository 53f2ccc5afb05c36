/**
 * What freezes have skipped and are to run after their end.
 *
 * T1. A freeze is thawed when every due time within it is decided, and not before its end.
 * T2. The executions of some jobs and how far the thaw is are one transaction under the lock of the freeze, and the ids of the
 *     executions are derived from their due times: each is made once, whoever dies.
 */
import { occurrenceExecutionId } from '../../shared/ids.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import {
  advanceThaw,
  type EndedFreeze,
  type FreezeWindow,
  lockEndedFreeze,
  nextThawMs,
  readActiveFreezes,
  readThawed,
  recordThawed,
  type ThawedDueTime,
} from '../freeze/freeze-queries.ts'
import { isInScope } from '../freeze/freeze-scope.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'

/** Looks so often, in ms. */
const LOOK_MS = 1_000
/** Jobs in one transaction, by how many due times each of them may have. */
const JOBS = { run_once: 500, run_all: 10 } as const
/** RUN_ALL keeps the newest ones of each job, as catch-up does. */
const RUN_ALL_MAX = 100

type Enqueue = (tx: Db, requests: readonly NewExecution[]) => Promise<unknown>

export function createThawLoop(deps: Deps, enqueue: Enqueue): Ticker {
  return new Ticker({
    ...deps,
    name: 'thaw',
    runOnce: async () => {
      const waitMs = (await nextThawMs(deps.db)) ?? LOOK_MS
      if (waitMs > 0) return Math.min(waitMs, LOOK_MS)
      const hasThawed = await deps.db.transaction().execute(async (tx) => thaw(tx, deps, enqueue))
      if (!hasThawed) return LOOK_MS
      deps.hints.give('queue')
      return 0
    },
  })
}

/** The next jobs of one freeze; false when there is nothing to do. */
async function thaw(tx: Db, deps: Deps, enqueue: Enqueue): Promise<boolean> {
  const freeze = await lockEndedFreeze(tx)
  if (freeze === undefined) return false
  const { dueTimes, upTo } = await readNext(tx, freeze)
  const others = dueTimes.length === 0 ? [] : await readActiveFreezes(tx)
  const specs = await deps.specs.load(tx, dueTimes.map(toRef))
  const executions = dueTimes.map((dueTime) => ({
    ...toNewExecution(dueTime, freeze),
    availableAt: frozenUntil(dueTime, others),
    waitsForDependencies: specOf(specs, toRef(dueTime)).spec.dependencies.length > 0,
  }))
  if (executions.length > 0) {
    await enqueue(tx, executions)
    await recordThawed(
      tx,
      executions.map(({ id, jobId, scheduledFor }) => ({ jobId, scheduledFor, executionId: id })),
    )
  }
  await advanceThaw(tx, freeze.id, { upTo, executions: executions.length })
  return true
}

async function readNext(tx: Db, freeze: EndedFreeze): ReturnType<typeof readThawed> {
  const { after } = freeze
  if (after === 'skip') return { dueTimes: [], upTo: undefined }
  const ofEach = after === 'run_once' ? 1 : RUN_ALL_MAX
  return readThawed(tx, freeze, { jobs: JOBS[after], ofEach })
}

function toRef({ job_id, version }: ThawedDueTime) {
  return { jobId: job_id, jobVersion: version }
}

function toNewExecution(dueTime: ThawedDueTime, freeze: EndedFreeze) {
  return {
    id: occurrenceExecutionId(dueTime.uid, dueTime.scheduled_for) as ExecutionId,
    ...toRef(dueTime),
    trigger: 'catch_up' as const,
    scheduledFor: dueTime.scheduled_for,
    parameters: {},
    pinnedWorker: undefined,
    requestedBy: `freeze:${freeze.name}`,
  }
}

/** The end of the last of the freezes that hold the job now; undefined: it may run at once. */
function frozenUntil(job: ThawedDueTime, freezes: readonly FreezeWindow[]): Date | undefined {
  const ends = freezes
    .filter((freeze) => isInScope(freeze, job))
    .map(({ ends_at }) => ends_at.getTime())
  return ends.length === 0 ? undefined : new Date(Math.max(...ends))
}

/**
 * Takes workers out of service by itself, with the evidence: jobs fail there and succeed elsewhere.
 *
 * K1. One coordinator decides at a time, so that two never cordon more together than each of them may.
 * K2. What a release has forgiven is no evidence any more.
 */
import { formatDurationMs } from '../../shared/duration.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import {
  readDoubtful,
  readFailureEvidence,
  readFleetMembers,
  readNeeds,
  tryLockCordons,
  type WorkerEvidence,
} from './cordon-queries.ts'
import { decideCordon, type FleetMember } from './decide-cordon.ts'
import { lockWorker, setCordoned } from './worker-queries.ts'

const LOOK_MS = 10_000
const WINDOW_MS = 15 * 60_000
/** From so many failures in a row on a worker is in doubt, and its attempts are looked at. */
const FAILURES_MIN = 3
const DOUBTFUL_MAX = 20

export function createCordonLoop(deps: Deps): Ticker {
  /** Workers that were spared, and said to be, so that this is said once. */
  let spared = new Set<string>()
  return new Ticker({
    ...deps,
    name: 'cordon',
    runOnce: async () => {
      const bounds = { failuresMin: FAILURES_MIN, limit: DOUBTFUL_MAX }
      const doubtful = await readDoubtful(deps.db, bounds)
      const now = new Set(doubtful.length === 0 ? [] : await judge(deps, doubtful, spared))
      spared = now
      return LOOK_MS
    },
  })
}

/** Answers the names of those that are spared. */
async function judge(
  deps: Deps,
  doubtful: readonly WorkerId[],
  alreadySpared: ReadonlySet<string>,
): Promise<string[]> {
  const cordoned: object[] = []
  const spared = await deps.db.transaction().execute(async (tx) => {
    if (!(await tryLockCordons(tx))) return [...alreadySpared]
    const evidence = await readFailureEvidence(tx, doubtful, WINDOW_MS)
    const names: string[] = []
    for (const [workerId, own] of Map.groupBy(evidence, (each) => each.workerId)) {
      const fleet = await readFleetMembers(tx)
      const worker = fleet.find(({ id }) => id === workerId)
      const decision = await decide(tx, { workerId, own, fleet })
      if (worker === undefined || decision.kind === 'innocent') continue
      const told = { worker: worker.name, ...decision }
      if (decision.kind === 'cordon') {
        if (await cordon(tx, worker, decision.reason)) cordoned.push(told)
        continue
      }
      names.push(worker.name)
      if (!alreadySpared.has(worker.name)) deps.logger.warn(told, 'a worker should be cordoned')
    }
    return names
  })
  for (const told of cordoned) deps.logger.warn(told, 'a worker is cordoned')
  if (cordoned.length > 0) deps.hints.give('workers')
  return spared
}

interface Case {
  readonly workerId: WorkerId
  readonly own: readonly WorkerEvidence[]
  readonly fleet: readonly FleetMember[]
}

async function decide(tx: Db, { workerId, own, fleet }: Case) {
  const suspicion = { workerId, evidence: own, window: formatDurationMs(WINDOW_MS) }
  return decideCordon(suspicion, { fleet, needs: await readNeeds(tx) })
}

/** False when somebody was faster. */
async function cordon(tx: Db, { name }: FleetMember, reason: string): Promise<boolean> {
  const worker = await lockWorker(tx, name)
  if (worker?.state !== 'active') return false
  await setCordoned(tx, { id: worker.id, reason, actor: 'rota' })
  await recordWorkerEvents(tx, [worker.id], { change: 'cordoned', actor: 'rota', message: reason })
  return true
}

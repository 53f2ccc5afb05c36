/** Brings together what an agent says that it has and what the database still knows of it. */
import { assert } from '../../../shared/assert.ts'
import type { SessionId, WorkerId } from '../../job/execution.ts'
import type { Db } from '../../store/database.ts'
import type { HeldAttempt } from '../dispatch-queries.ts'
import { decideReclaim, type ReclaimVerdict } from './decide-reclaim.ts'
import { lockOffered, readSettled, restoreAttempts } from './recovery-queries.ts'

export interface Claimant {
  readonly sessionId: SessionId
  readonly workerId: WorkerId
  readonly epochFloor: number
}

export type Reclaimed = Readonly<Record<ReclaimVerdict, readonly HeldAttempt[]>>

/** Restores what can be restored, within the caller's transaction. Of one execution only the newest epoch counts. */
export async function reclaim(
  tx: Db,
  claimant: Claimant,
  offered: readonly HeldAttempt[],
): Promise<Reclaimed> {
  const attempts = [
    ...new Map(offered.map((each) => [`${each.executionId}.${each.epoch}`, each])).values(),
  ]
  const reclaimed = { own: [], restore: [], wait: [], gone: [] } as Record<
    ReclaimVerdict,
    HeldAttempt[]
  >
  if (attempts.length === 0) return reclaimed
  const ids = attempts.map(({ executionId }) => executionId)
  const live = new Map((await lockOffered(tx, ids)).map((row) => [row.id, row]))
  const settled = await readSettled(
    tx,
    ids.filter((id) => !live.has(id)),
  )
  const newest = newestOf(attempts)
  for (const attempt of attempts) {
    const isNewest = newest.get(attempt.executionId) === attempt.epoch
    const verdict = decideReclaim(attempt, {
      ...claimant,
      live: live.get(attempt.executionId),
      isSettled: settled.has(attempt.executionId),
    })
    reclaimed[isNewest ? verdict : 'gone'].push(attempt)
  }
  const { restore } = reclaimed
  if (restore.length > 0) {
    const restored = await restoreAttempts(tx, claimant, restore)
    assert(restored === restore.length, `restored ${restored} of ${restore.length} locked attempts`)
  }
  return reclaimed
}

function newestOf(attempts: readonly HeldAttempt[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>()
  for (const { executionId, epoch } of attempts) {
    newest.set(executionId, Math.max(epoch, newest.get(executionId) ?? 0))
  }
  return newest
}

/** From when on a schedule goes on: from now, unless the request asks for what was due before. */

import { violation } from '../../shared/errors/check-field.ts'
import { refuseViolations } from '../../shared/errors/rota-error.ts'
import { checkRecovery } from '../../shared/schedule/check-recovery.ts'
import type { Db } from '../store/database.ts'
import type { JobState } from '../store/tables.ts'
import { forgetPaused } from './definition-queries.ts'
import type { SavedJob } from './save-spec.ts'

/** A job that stays paused would forget what it was asked to recover. */
export function refusePaused(state: JobState, recoverFrom: Date | undefined): void {
  if (recoverFrom === undefined || state !== 'paused') return
  const hint = 'Resume it with recover_from instead.'
  const wrong = { reason: 'RECOVERY_INVALID', message: 'the job is paused', hint } as const
  refuseViolations([violation('recover_from', wrong)])
}

/**
 * The mark of a schedule that is saved or resumed: everything up to it counts as decided. With `recoverFrom` it goes back:
 * due times since then that nobody has decided are decided by the catch-up policy, and those that were left out because the
 * job was paused are decided anew.
 */
export async function markOf(
  tx: Db,
  job: SavedJob,
  { now, recoverFrom }: { readonly now: Date; readonly recoverFrom: Date | undefined },
): Promise<Date> {
  if (recoverFrom === undefined) return now
  const { createdAt, spec, uid } = job
  refuseViolations(
    checkRecovery('recover_from', recoverFrom, {
      schedule: spec.schedule,
      seed: uid,
      anchor: createdAt,
      now,
    }),
  )
  await forgetPaused(tx, job.id, recoverFrom)
  return recoverFrom
}

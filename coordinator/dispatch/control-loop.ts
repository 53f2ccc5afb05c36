/** What goes down the streams besides new work: assignments that nobody accepted, once more, and stops. */
import { durationFromMs, durationToMs } from '../../shared/duration.ts'
import { Ticker } from '../../shared/ticker.ts'
import { resourceName } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import { specOf } from '../store/job-specs.ts'
import { KILL_GRACE_MS } from './assignment.ts'
import { dispatch } from './dispatch.ts'
import { type PendingControl, readPendingControl } from './dispatch-queries.ts'
import type { Fleet } from './fleet.ts'

const LOOK_MS = 1_000
/** An assignment not accepted for this long is sent again, with the same epoch (A2). */
const ACCEPT_MS = 5_000
/** A stop is sent again after this, in ms: the agent may have been between two streams. */
const STOP_AGAIN_MS = 5_000
const GIVE_UP_REASON = 'the deadline of the drain has come'

export function createControlLoop(deps: Deps, fleet: Fleet): Ticker {
  return new Ticker({
    ...deps,
    name: 'control',
    runOnce: async () => {
      const sessionIds = fleet.all().map(({ profile }) => profile.id)
      if (sessionIds.length === 0) return LOOK_MS
      const pending = await readPendingControl(deps.db, sessionIds, ACCEPT_MS)
      const unaccepted = pending.filter((row) => row.is_unaccepted)
      await dispatch(deps, fleet, unaccepted)
      const ending = pending.filter((row) => row.is_cancel_requested || row.is_given_up)
      for (const row of ending) await sendStop(deps, fleet, row)
      return LOOK_MS
    },
  })
}

async function sendStop(deps: Deps, fleet: Fleet, row: PendingControl): Promise<void> {
  const session = fleet.get(row.session_id)
  const now = deps.clock.monotonicMs()
  if (session === undefined) return
  const sent = session.stopsSent.get(row.id)
  const isNew = sent === undefined || (row.cancel_force && !sent.isForced)
  if (!isNew && now - sent.atMs < STOP_AGAIN_MS) return
  session.stopsSent.set(row.id, { atMs: now, isForced: row.cancel_force })
  const ref = { jobId: row.job_id, jobVersion: row.job_version }
  const { spec } = specOf(await deps.specs.load(deps.db, [ref]), ref)
  const killGraceMs = row.cancel_force ? 0 : (durationToMs(spec.killGrace) ?? KILL_GRACE_MS)
  session.stream.send({
    $case: 'stop',
    value: {
      targets: [
        {
          execution: resourceName('executions', row.id),
          epoch: BigInt(row.epoch),
          reason: row.is_cancel_requested ? row.cancel_reason : GIVE_UP_REASON,
          killGrace: durationFromMs(killGraceMs),
          giveUp: !row.is_cancel_requested,
        },
      ],
    },
  })
}

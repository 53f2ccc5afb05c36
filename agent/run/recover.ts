/**
 * What an agent does with the attempts that its last life left behind.
 *
 * R1. What a living warden has goes on, and ends with its own result, here as if nothing had been.
 * R2. Of any other unfinished attempt no process survives; none of another boot or another program is touched.
 * R3. Every accepted attempt gets a result: unfinished ones that no warden has are lost, finished ones are offered again.
 * R4. What was written so far is shipped; folders that no attempt owns are removed.
 */
import { Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import type { StoredAttempt } from '../report/stored-attempt.ts'
import type { HeldAttempt } from '../warden/messages.ts'
import type { AttemptServices } from './attempt-run.ts'
import { logCapBytes } from './attempt-terms.ts'
import { reportFinished } from './conclude.ts'
import type { LiveAttempts } from './live-attempts.ts'
import { resumeAttempt } from './run-attempt.ts'
import { listWorkspaces, removeWorkspace, workspaceOf } from './workspace.ts'

/** Takes up what the journal and the warden tell; before the first connection. */
export async function recoverAttempts(
  services: AttemptServices,
  live: LiveAttempts,
): Promise<void> {
  const { attemptsDir, host, store, outbox } = services
  const unfinished = store.list().filter(({ result }) => result === undefined)
  const left = unfinished.map((attempt) => {
    return { key: attemptKey(attempt), process: attempt.process }
  })
  const held = new Map(await host.warden.open(left))
  const folders = new Set(await listWorkspaces(attemptsDir))
  for (const attempt of store.list()) {
    const key = attemptKey(attempt)
    const known = held.get(key)
    held.delete(key)
    if (folders.delete(key)) followAgain(attempt, services)
    if (attempt.result === undefined) {
      if (known === undefined) await giveUp(attempt, services)
      else adopt(attempt, known, { services, live })
      continue
    }
    if (known !== undefined) host.warden.forget(key)
    if (attempt.acknowledgedAtMs === undefined) {
      outbox.put({ kind: 'finished', value: attempt.result.finished })
    }
  }
  for (const unknown of held.values()) folders.add(await endUnknown(unknown, services))
  for (const key of folders) await removeWorkspace(workspaceOf(attemptsDir, key))
}

function followAgain(attempt: StoredAttempt, { attemptsDir, logs }: AttemptServices): void {
  const { capped, execution, epoch, result } = attempt
  logs.follow({
    execution,
    epoch,
    files: workspaceOf(attemptsDir, attemptKey(attempt)).logs,
    capBytes: capBytesOf(attempt),
    share: result?.share ?? capped,
    hasEnded: result !== undefined,
  })
}

function capBytesOf({ assignment }: StoredAttempt): number {
  // What has ended has its share, and the cap does not matter any more.
  return assignment === undefined ? Number.POSITIVE_INFINITY : logCapBytes(assignment)
}

/** R1. What the last life may not have told any more is told again. */
function adopt(
  attempt: StoredAttempt,
  held: HeldAttempt,
  { services, live }: { readonly services: AttemptServices; readonly live: LiveAttempts },
): void {
  const { assignment } = attempt
  if (assignment === undefined) return
  const { execution, epoch } = assignment
  const { host, outbox, store } = services
  host.logger.info(
    { execution, epoch: String(epoch), hasEnded: held.end !== undefined },
    'an attempt has gone on without the agent; it is taken back',
  )
  outbox.put({ kind: 'accepted', value: { execution, epoch } })
  if (held.started !== undefined) {
    const { process, startTimeMs } = held.started
    if (process !== undefined) store.start(assignment, process)
    const startTime = new Date(startTimeMs)
    outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
  }
  void live.adopt(assignment, (adopted) => resumeAttempt({ attempt: adopted, services }, held))
}

/** Nobody will ever ask for its result; answers the key. */
async function endUnknown(held: HeldAttempt, { host }: AttemptServices): Promise<string> {
  host.logger.warn({ attempt: held.key }, 'the warden has an attempt that the journal misses')
  host.warden.stop(held.key, { kind: 'lost', reason: 'the journal misses it' }, 0)
  await host.warden.adopt(held)
  host.warden.forget(held.key)
  return held.key
}

async function giveUp(attempt: StoredAttempt, services: AttemptServices): Promise<void> {
  const { clock, bootId, logger } = services.host
  const { execution, epoch, process } = attempt
  const isSameBoot = process === undefined || process.bootId === bootId
  const settled = services.logs.settle(attempt)
  const what = isSameBoot ? 'the agent restarted' : 'the host restarted'
  const finished = Finished.fromPartial({
    execution,
    epoch,
    outcome: AttemptOutcome.LOST,
    message: `LEASE_LOST: ${what} while the attempt ran`,
    endTime: clock.now(),
    logBytes: BigInt(settled.keptBytes),
    logBytesDropped: BigInt(settled.droppedBytes),
  })
  logger.warn({ execution, epoch: String(epoch) }, `${what}; an unfinished attempt is lost`)
  await reportFinished(finished, settled, services)
}

/**
 * What an agent does with the attempts that its last life left behind.
 *
 * R1. No process of an unfinished attempt survives, and none of another boot or another program is touched.
 * R2. Every accepted attempt gets a result: unfinished ones are lost, finished ones are offered again.
 * R3. What was written so far is shipped; folders that no attempt owns are removed.
 */
import { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { attemptKey } from '../report/attempt-ref.ts'
import { finishedOf, type StoredAttempt } from '../report/attempt-store.ts'
import { killGroup, sweepProcesses } from './kill-processes.ts'
import { isAlive } from './process-identity.ts'
import { type AttemptServices, logCapBytes, reportFinished } from './run-attempt.ts'
import { listWorkspaces, removeWorkspace, workspaceOf } from './workspace.ts'

/** Takes up what the journal tells; before the first connection. */
export async function recoverAttempts(services: AttemptServices): Promise<void> {
  const { attemptsDir, store, outbox } = services
  const folders = new Set(await listWorkspaces(attemptsDir))
  for (const attempt of store.list()) {
    const hasFolder = folders.delete(attemptKey(attempt))
    if (hasFolder) followAgain(attempt, services)
    if (attempt.result === undefined) await giveUp(attempt, services)
    else if (attempt.acknowledgedAtMs === undefined) {
      outbox.put({ kind: 'finished', value: finishedOf(attempt.result) })
    }
  }
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
  if (assignment === undefined) return Number.POSITIVE_INFINITY
  return logCapBytes(Assignment.decode(Buffer.from(assignment, 'base64')))
}

async function giveUp(attempt: StoredAttempt, services: AttemptServices): Promise<void> {
  const { clock, bootId, logger } = services.host
  const { execution, epoch, process } = attempt
  const isSameBoot = process === undefined || process.bootId === bootId
  if (process !== undefined && isAlive(process, bootId)) await killGroup(process.pid, clock)
  const killed = isSameBoot ? await sweepProcesses(attempt) : 0
  const settled = await services.logs.settle(attempt)
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
  logger.warn({ execution, epoch: String(epoch), killed }, `${what}; an unfinished attempt is lost`)
  await reportFinished(finished, settled, services)
}

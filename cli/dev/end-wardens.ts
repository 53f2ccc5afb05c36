/** The wardens of agents that were killed: they would go on with what runs, as they should anywhere else. */
import { type Clock, sleep } from '../../shared/clock.ts'
import { wardenLock } from '../../shared/data-dir.ts'
import { lockHolder } from '../../shared/lock-file.ts'

/** A warden kills what it has at once when it is interrupted. */
const END_MS = 3_000
const LOOK_MS = 50

/** Ends the wardens of these data folders of agents, and with them what runs. */
export async function endWardens(folders: readonly string[], clock: Clock): Promise<void> {
  const deadlineMs = clock.monotonicMs() + END_MS
  const pids = () => folders.flatMap((folder) => lockHolder(wardenLock(folder)) ?? [])
  for (const pid of pids()) process.kill(pid, 'SIGINT')
  while (pids().length > 0 && clock.monotonicMs() < deadlineMs) await sleep(clock, LOOK_MS)
}

/** What a warden that was killed has left behind. Only for who has its lock, or its data folder to itself. */
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../shared/clock.ts'
import { attemptFolder } from './attempt-folder.ts'
import type { Cgroups } from './cgroups.ts'
import { readEnds } from './end-log.ts'
import { killGroup, sweepProcesses } from './kill-processes.ts'
import type { ProcessEnd } from './messages.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

/** An attempt that nobody has in care any more. */
export interface LeftAttempt {
  readonly key: string
  /** As far as it is known. */
  readonly process: ProcessIdentity | undefined
}

export interface LeftoverPlace {
  readonly attemptsDir: string
  /** See end-log.ts. */
  readonly endsFile: string
  readonly clock: Clock
  readonly bootId: string
  readonly cgroups: Cgroups | undefined
}

/** Ends whatever still runs of these attempts; answers the ends of those that had one, by key. */
export async function endLeftovers(
  left: readonly LeftAttempt[],
  { attemptsDir, bootId, cgroups, clock, endsFile }: LeftoverPlace,
): Promise<ReadonlyMap<string, ProcessEnd>> {
  const keys = new Set(left.map(({ key }) => key))
  const groups = (cgroups?.list() ?? []).filter(({ key }) => keys.has(key))
  await Promise.all(groups.map(({ cgroup }) => cgroup.end()))
  for (const { process } of left) {
    if (process !== undefined && isAlive(process, bootId)) await killGroup(process.pid, clock)
  }
  if (keys.size > 0) await sweepProcesses(keys, clock)
  const ends = new Map<string, ProcessEnd>()
  const written = readEnds(endsFile)
  for (const { key } of left) {
    const end = written.get(key) ?? (await readOldEnd(attemptsDir, key))
    if (end !== undefined) ends.set(key, end)
  }
  return ends
}

/** Undefined when there is none. */
async function readOldEnd(attemptsDir: string, key: string): Promise<ProcessEnd | undefined> {
  try {
    // Only a warden writes it, whole or not at all.
    return JSON.parse(await readFile(attemptFolder(attemptsDir, key).end, 'utf8')) as ProcessEnd
  } catch {
    return undefined
  }
}

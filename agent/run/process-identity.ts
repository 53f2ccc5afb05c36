/** Which process is meant: a pid alone is given to another process some time later. */
import { readFileSync } from 'node:fs'

export interface ProcessIdentity {
  readonly pid: number
  /** Start time in clock ticks since boot, field 22 of /proc/PID/stat; empty where there is no /proc. */
  readonly startTicks: string
  /** One per boot of the host; empty where there is no /proc. */
  readonly bootId: string
}

/** Of a living process or a zombie; undefined when there is none of this pid, or no /proc. */
export function identifyProcess(pid: number, bootId: string): ProcessIdentity | undefined {
  const startTicks = readStartTicks(pid)
  return startTicks === undefined ? undefined : { pid, startTicks, bootId }
}

/** True when exactly this process still lives. */
export function isAlive(identity: ProcessIdentity, bootId: string): boolean {
  return bootId === identity.bootId && readStartTicks(identity.pid) === identity.startTicks
}

/** The id of this boot of the host; empty where the system does not tell. */
export function readBootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function readStartTicks(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  // The second field is the command in parentheses and may hold anything; the third follows the last one.
  return stat
    ?.slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .at(19)
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

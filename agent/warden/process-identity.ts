/** Which process is meant: a pid alone is given to another process some time later. */
import { readStartTicks } from '../../shared/process-stat.ts'

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

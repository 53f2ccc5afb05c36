/** What Linux tells of processes; elsewhere nothing is known, and the answers are empty. */
import { readFileSync } from 'node:fs'

/** Fields of `/proc/PID/stat` from the third, the state, on (proc_pid_stat(5)); none when there is no such process. */
export function readProcessStat(pid: number): string[] {
  const stat = readText(`/proc/${pid}/stat`)
  // The command, which may hold anything, stands in parentheses before them.
  return stat === undefined ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Start time in clock ticks since boot, field 22: tells two processes of the same pid apart. */
export function readStartTicks(pid: number): string | undefined {
  return readProcessStat(pid)[19]
}

/** The id of this boot of the host. */
export function readBootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

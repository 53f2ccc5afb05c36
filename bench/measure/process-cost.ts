/** What processes cost, as Linux accounts for it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readProcessStat } from '../../shared/process-stat.ts'

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Time on a core since its start, user and system, in ms; 0 for a process that is gone. */
export function readCpuMs(pid: number): number {
  // Fields 14 and 15 of proc_pid_stat(5); the list begins with the third.
  const [, , , , , , , , , , , user = 0, system = 0] = readProcessStat(pid).map(Number)
  return ((user + system) * 1_000) / TICKS_PER_SECOND
}

/** Memory in use, in MB: resident, of which the share of pages that several processes have is counted once. */
export function readMemoryMb(pid: number): number {
  try {
    const [, kb] = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
    return Number(kb ?? 0) / 1_024
  } catch {
    return 0
  }
}

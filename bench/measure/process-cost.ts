/** What processes cost, as Linux accounts for it. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { readProcessStat } from '../../shared/process-stat.ts'

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Time on a core since its start, user and system, in ms; 0 for a process that is gone. */
export function readCpuMs(pid: number): number {
  // Fields 14 and 15 of proc_pid_stat(5); the list begins with the third.
  const [, , , , , , , , , , , user = 0, system = 0] = readProcessStat(pid).map(Number)
  return ((user + system) * 1_000) / TICKS_PER_SECOND
}

export interface Memory {
  /** As `ps` has it: with the program's file, which all processes of it share. */
  readonly residentMb: number
  /** Of its own: heap, stacks, buffers. */
  readonly ownMb: number
}

/** Nothing for a process that is gone. */
export function readMemory(pid: number): Memory {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const field = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1_024
    return { residentMb: field('Rss'), ownMb: field('Anonymous') }
  } catch {
    return { residentMb: 0, ownMb: 0 }
  }
}

/** Of its children that have ended and been waited for. */
export function readChildrenCpuMs(pid: number): number {
  // Fields 16 and 17.
  const [, , , , , , , , , , , , , user = 0, system = 0] = readProcessStat(pid).map(Number)
  return ((user + system) * 1_000) / TICKS_PER_SECOND
}

/** The same of a process and all its children, also of those that it has outlived: a PostgreSQL and its sessions. */
export function readFamilyCpuMs(pid: number): number {
  const children = readdirSync('/proc')
    .map(Number)
    .filter((other) => other > 0 && Number(readProcessStat(other)[1]) === pid)
  const living = [pid, ...children].reduce((sum, each) => sum + readCpuMs(each), 0)
  return living + readChildrenCpuMs(pid)
}

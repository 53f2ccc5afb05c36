/** Ending what an attempt started: its process group, and what has left the group. */
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../shared/clock.ts'
import type { AttemptRef } from '../report/attempt-ref.ts'
import { attemptMark } from './environment.ts'

/** SIGKILL has taken effect when the group is gone; waiting for it has an end, in ms. */
const GROUP_GONE_MS = 1_000
const GROUP_POLL_MS = 10
/** Each round finds what was forked while the one before it looked. */
const SWEEP_ROUNDS_MAX = 5

/** Signals a whole process group; false when it is gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch {
    return false
  }
}

/** Kills what is left of a group, and waits a moment until it is gone. */
export async function killGroup(pid: number, clock: Clock): Promise<void> {
  if (!signalGroup(pid, 'SIGKILL')) return
  const endMs = clock.monotonicMs() + GROUP_GONE_MS
  while ((await hasLiving(pid)) && clock.monotonicMs() < endMs) await sleep(clock, GROUP_POLL_MS)
}

/** Signal 0 would find zombies too, and there are hosts whose first process reaps them late. */
async function hasLiving(group: number): Promise<boolean> {
  const pids = await listProcesses()
  if (pids.length === 0) return signalGroup(group, 0)
  const stats = await Promise.all(pids.map((pid) => readProcessFile(pid, 'stat')))
  return stats.some((stat) => {
    // After the command in parentheses: state, parent, group (proc_pid_stat(5)).
    const [state, , groupId] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(groupId) === group && state !== 'Z'
  })
}

/**
 * Kills every process whose environment carries the mark of the attempt: children that have left its group by setsid.
 * Linux only; answers how many were killed.
 */
export async function sweepProcesses(attempt: AttemptRef): Promise<number> {
  let killed = 0
  for (let round = 0; round < SWEEP_ROUNDS_MAX; round++) {
    const pids = await findMarked(attempt)
    if (pids.length === 0) break
    for (const pid of pids) if (kill(pid)) killed += 1
  }
  return killed
}

async function findMarked(attempt: AttemptRef): Promise<number[]> {
  const found: number[] = []
  for (const pid of await listProcesses()) {
    if (pid !== process.pid && (await isMarked(pid, attempt))) found.push(pid)
  }
  return found
}

async function isMarked(pid: number, attempt: AttemptRef): Promise<boolean> {
  const variables = (await readProcessFile(pid, 'environ')).split('\0')
  return attemptMark(attempt).every((mark) => variables.includes(mark))
}

async function listProcesses(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => [])
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Empty for a process that ended meanwhile, or that belongs to somebody else. */
function readProcessFile(pid: number, name: 'stat' | 'environ'): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '')
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

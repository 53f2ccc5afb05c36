/** Ending what an attempt started, without a cgroup: its process group, and what has left the group. */
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../shared/clock.ts'

/** SIGKILL has taken effect when the group is gone; waiting for it has an end, in ms. */
const GROUP_GONE_MS = 1_000
const GROUP_POLL_MS = 10
/** Each round finds what was forked while the one before it looked; a storm of forks has an end too, in ms. */
const SWEEP_MS = 5_000

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
 * Kills every process whose environment carries the mark of one of these attempts, e.g. children that have left the
 * group by setsid, until none is found. Linux only.
 */
export async function sweepProcesses(keys: ReadonlySet<string>, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + SWEEP_MS
  while (clock.monotonicMs() < endMs) {
    const pids = await findMarked(keys)
    if (pids.length === 0) return
    for (const pid of pids) kill(pid)
  }
}

async function findMarked(keys: ReadonlySet<string>): Promise<number[]> {
  const found: number[] = []
  for (const pid of await listProcesses()) {
    const key = pid === process.pid ? '' : markedKey(await readProcessFile(pid, 'environ'))
    if (keys.has(key)) found.push(pid)
  }
  return found
}

/** The attempt that a process belongs to. ROTA_EXECUTION and ROTA_EPOCH survive setsid and double forks. */
function markedKey(environ: string): string {
  const variables = environ.split('\0')
  const value = (name: string) =>
    variables.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  return `${value('ROTA_EXECUTION')}.${value('ROTA_EPOCH')}`
}

async function listProcesses(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => [])
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Empty for a process that ended meanwhile, or that belongs to somebody else. */
function readProcessFile(pid: number, name: 'stat' | 'environ'): Promise<string> {
  return readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => '')
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

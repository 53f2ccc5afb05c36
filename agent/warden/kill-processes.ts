/** Ending what an attempt started, without a cgroup: its process group, and what has left the group. */
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { type Clock, sleep } from '../../shared/clock.ts'

/** SIGKILL has taken effect when the group is gone; waiting for it has an end, in ms. */
const GROUP_GONE_MS = 1_000
const GROUP_POLL_MS = 10
/** Each round finds what was forked while the one before it looked; a storm of forks has an end too, in ms. */
const SWEEP_MS = 5_000
/** More processes than any host starts in a millisecond: so long pids do not go once round, and no longer than this. */
const FORKS_PER_MS = 128
const SHORT_MS_MAX = 1_000
/** Processes that are looked at in one turn: a fraction of a millisecond. */
const LOOKED_AT_ONCE = 16
/** To try so many takes less than to list all processes. */
const FEW_PIDS = 16

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
  const stats = await Promise.all(pids.map(readStat))
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
  const sweeper = new ProcessSweeper(clock)
  await Promise.all([...keys].map((key) => sweeper.sweep(key)))
}

/** The first process of an attempt, and how long ago it was started, in ms. */
export interface FirstProcess {
  readonly pid: number
  readonly ageMs: number
}

/**
 * The same, attempt by attempt. One look through the processes serves every attempt that was waiting when it began.
 *
 * Pids are given in rising order and begin anew at their highest, so what an attempt has started comes after its first
 * process: of one that ran shortly few processes have to be looked at.
 */
export class ProcessSweeper {
  readonly #clock: Clock
  readonly #shortMs: number
  /** A look that has not begun. */
  #next: Promise<MarkedProcesses> | undefined
  /** It begins behind this process. */
  #nextAfterPid = 0
  /** The look before that one. */
  #current: Promise<unknown> = Promise.resolve()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#shortMs = Math.min(SHORT_MS_MAX, readNumber('/proc/sys/kernel/pid_max') / FORKS_PER_MS)
  }

  /** Resolves when nothing of the attempt is found any more. Without its first process all are looked at. */
  async sweep(key: string, first?: FirstProcess): Promise<void> {
    const isShort = first !== undefined && first.ageMs < this.#shortMs
    const endMs = this.#clock.monotonicMs() + SWEEP_MS
    while (this.#clock.monotonicMs() < endMs) {
      const pids = (await this.#look(isShort ? first.pid : 0)).get(key) ?? []
      if (pids.length === 0) return
      for (const pid of pids) kill(pid)
    }
  }

  /** What it finds was there after the call. */
  #look(afterPid: number): Promise<MarkedProcesses> {
    if (this.#next === undefined) {
      this.#nextAfterPid = afterPid
      this.#next = this.#current.then(() => {
        this.#next = undefined
        return findMarked(this.#nextAfterPid)
      })
      this.#current = this.#next
    }
    this.#nextAfterPid = Math.min(this.#nextAfterPid, afterPid)
    return this.#next
  }
}

/** Processes by the attempt that they belong to. */
type MarkedProcesses = ReadonlyMap<string, readonly number[]>

/** Read at once, for these files wait for no disk; others have their turn in between. */
async function findMarked(afterPid: number): Promise<MarkedProcesses> {
  const found = new Map<string, number[]>()
  const pids = await listProcessesAfter(afterPid)
  for (const [index, pid] of pids.entries()) {
    if (index % LOOKED_AT_ONCE === LOOKED_AT_ONCE - 1)
      await new Promise((resolve) => setImmediate(resolve))
    const key = pid === process.pid ? undefined : markedKey(readEnvironment(pid))
    if (key !== undefined) found.set(key, [...(found.get(key) ?? []), pid])
  }
  return found
}

/** The attempt that a process belongs to, if any. ROTA_EXECUTION and ROTA_EPOCH survive setsid and double forks. */
function markedKey(environ: string): string | undefined {
  if (!environ.includes('ROTA_EXECUTION=')) return undefined
  const variables = environ.split('\0')
  const value = (name: string) =>
    variables.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
  return `${value('ROTA_EXECUTION')}.${value('ROTA_EPOCH')}`
}

/** Processes that were started after that one; few pids are named without a look at which of them live. */
async function listProcessesAfter(pid: number): Promise<number[]> {
  const count = readLastPid() - pid
  const isFew = pid > 0 && count >= 0 && count <= FEW_PIDS
  if (isFew) return Array.from({ length: count }, (_, index) => pid + 1 + index)
  const all = await listProcesses()
  // Where the last one given is lower they began anew.
  return readLastPid() > pid ? all.filter((each) => each > pid) : all
}

function readLastPid(): number {
  // Field 5 of proc_loadavg(5).
  return Number(readText('/proc/loadavg').split(' ')[4])
}

async function listProcesses(): Promise<number[]> {
  const names = await readdir('/proc').catch(() => [])
  return names.filter((name) => /^\d+$/.test(name)).map(Number)
}

/** Empty for a process that ended meanwhile. */
function readStat(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
}

/** Empty for a process that ended meanwhile, or that belongs to somebody else. */
function readEnvironment(pid: number): string {
  return readText(`/proc/${pid}/environ`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function readNumber(file: string): number {
  return Number(readText(file)) || 0
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

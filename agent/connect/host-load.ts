/** How busy this host is, cheaply: one small read per heartbeat, the disk only now and then. */
import { closeSync, openSync, readSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { availableParallelism, freemem, loadavg, totalmem } from 'node:os'
import type { HostLoad } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock } from '../../shared/clock.ts'
import { durationFromMs } from '../../shared/duration.ts'
import type { LoadProbe } from './introduce.ts'

/** The disk is looked at no more often, in ms. */
const DISK_LOOK_MS = 10_000
/** New work is refused below this, in bytes: room for results and for output that nobody limits. */
const DISK_FREE_MIN_BYTES = 64 * 1024 * 1024

interface CpuTimes {
  readonly busy: number
  readonly all: number
}

export class HostWatch implements LoadProbe {
  readonly #clock: Clock
  readonly #folder: string
  #cpu: CpuTimes | undefined
  #diskRatio = 0
  #hasSpace = true
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, folder: string) {
    this.#clock = clock
    this.#folder = folder
  }

  /** False when the disk of the agent's folder is nearly full. */
  get hasSpace(): boolean {
    return this.#hasSpace
  }

  /** Looks at the disk; a look that fails changes nothing. */
  async look(): Promise<void> {
    this.#lookedAtMs = this.#clock.monotonicMs()
    const disk = await statfs(this.#folder).catch(() => undefined)
    if (disk === undefined || disk.blocks === 0) return
    this.#diskRatio = 1 - disk.bavail / disk.blocks
    this.#hasSpace = disk.bavail * disk.bsize >= DISK_FREE_MIN_BYTES
  }

  /** The load since the last call; `lateMs` is how late the timer of the heartbeat was. */
  sample(lateMs: number): HostLoad {
    if (this.#clock.monotonicMs() - this.#lookedAtMs >= DISK_LOOK_MS) void this.look()
    return {
      cpuRatio: this.#cpuRatio(),
      memoryRatio: 1 - freemem() / totalmem(),
      diskRatio: this.#diskRatio,
      eventLoopDelay: durationFromMs(Math.max(0, lateMs)),
    }
  }

  #cpuRatio(): number {
    const before = this.#cpu
    this.#cpu = readCpuTimes()
    if (this.#cpu === undefined) return Math.min(1, (loadavg()[0] ?? 0) / availableParallelism())
    const all = this.#cpu.all - (before?.all ?? 0)
    return all > 0 ? (this.#cpu.busy - (before?.busy ?? 0)) / all : 0
  }
}

/** The first line of /proc/stat (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal. */
function readCpuTimes(): CpuTimes | undefined {
  const buffer = Buffer.alloc(256)
  try {
    const fd = openSync('/proc/stat', 'r')
    try {
      readSync(fd, buffer, 0, buffer.length, 0)
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
  const [line = ''] = buffer.toString('latin1').split('\n')
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number)
  const all = times.reduce((sum, time) => sum + time, 0)
  return { all, busy: all - (times[3] ?? 0) - (times[4] ?? 0) }
}

/** The machine that figures come from: without it they mean nothing. */
import { cpus, freemem, loadavg, release, totalmem } from 'node:os'

export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGb: number
  readonly freeGb: number
  readonly kernel: string
  readonly node: string
  /** Of the last minute, before anything was started: what else ran here. */
  readonly load: number
  /** Versions of what else took part, and settings, by name. */
  readonly [fact: string]: string | number
}

export function readMachine(facts: Readonly<Record<string, string | number>>): Machine {
  const all = cpus()
  return {
    cores: all.length,
    cpu: all[0]?.model ?? 'unknown',
    memoryGb: gigabytes(totalmem()),
    freeGb: gigabytes(freemem()),
    kernel: `${process.platform} ${release()}`,
    node: process.version,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
    ...facts,
  }
}

function gigabytes(bytes: number): number {
  return Number((bytes / 1_024 ** 3).toFixed(1))
}

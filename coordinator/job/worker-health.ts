/** The health of a worker: the only place of its rules, for the API and for what it is offered. Pure. */
import { formatDurationMs } from '../../shared/duration.ts'
import type { HostLoad } from './host-load.ts'

/** From best to worst. */
export const HEALTHS = ['healthy', 'warning', 'degraded', 'unresponsive', 'offline'] as const
export type WorkerHealth = (typeof HEALTHS)[number]

export interface HealthSigns {
  /** Since anything was heard of its session, in ms; undefined without a session. */
  readonly silentMs: number | undefined
  readonly consecutiveFailures: number
  readonly load: HostLoad
  readonly clockSkewMs: number
}

export interface HealthVerdict {
  readonly health: WorkerHealth
  /** Which sign and how much; empty when healthy. */
  readonly message: string
}

/** Two heartbeats of a large fleet are missing, and its lease still holds. */
const UNRESPONSIVE_MS = 8_000
const WARNING_FAILURES = 3
const DEGRADED_FAILURES = 10
const RATIO_MAX = 0.95
const EVENT_LOOP_DELAY_MS_MAX = 1_000
const CLOCK_SKEW_MS_MAX = 30_000

export function judgeHealth(signs: HealthSigns): HealthVerdict {
  const { silentMs, consecutiveFailures: failures } = signs
  if (silentMs === undefined) return { health: 'offline', message: 'not connected' }
  if (silentMs >= UNRESPONSIVE_MS) {
    const message = `nothing heard for ${Math.floor(silentMs / 1_000)} s`
    return { health: 'unresponsive', message }
  }
  const warnings = hostWarnings(signs)
  const inARow = failures >= WARNING_FAILURES ? [`${failures} failures in a row`] : []
  const message = [...inARow, ...warnings].join('; ')
  if (failures >= DEGRADED_FAILURES) return { health: 'degraded', message }
  return { health: message === '' ? 'healthy' : 'warning', message }
}

/** Negative when `a` is the better one to give work to. */
export function compareHealth(a: WorkerHealth, b: WorkerHealth): number {
  return HEALTHS.indexOf(a) - HEALTHS.indexOf(b)
}

function hostWarnings({ load, clockSkewMs }: HealthSigns): string[] {
  const ratios = [
    ['CPU', load.cpuRatio],
    ['memory', load.memoryRatio],
    ['disk', load.diskRatio],
  ] as const
  const full = ratios.filter(([, ratio]) => ratio >= RATIO_MAX)
  const warnings = full.map(([name, ratio]) => `${name} at ${Math.floor(ratio * 100)} %`)
  if (load.eventLoopDelayMs >= EVENT_LOOP_DELAY_MS_MAX) {
    warnings.push(`its agent is late by ${inSeconds(load.eventLoopDelayMs)}`)
  }
  if (Math.abs(clockSkewMs) >= CLOCK_SKEW_MS_MAX) {
    const direction = clockSkewMs > 0 ? 'ahead' : 'behind'
    warnings.push(`its clock is ${inSeconds(Math.abs(clockSkewMs))} ${direction}`)
  }
  return warnings
}

function inSeconds(durationMs: number): string {
  return formatDurationMs(durationMs < 10_000 ? durationMs : Math.round(durationMs / 1_000) * 1_000)
}

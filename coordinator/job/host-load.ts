/** How busy the host of an agent is, as the agent says. Pure. */
import type { HostLoad as HostLoadMessage } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { durationToMs } from '../../shared/duration.ts'

/** Ratios are 0 to 1. */
export interface HostLoad {
  readonly cpuRatio: number
  readonly memoryRatio: number
  readonly diskRatio: number
  readonly eventLoopDelayMs: number
}

export const NO_LOAD: HostLoad = { cpuRatio: 0, memoryRatio: 0, diskRatio: 0, eventLoopDelayMs: 0 }

/** More is as bad: an hour. */
const DELAY_MS_MAX = 3_600_000
/** A clock that is off by more is as wrong: ten years. */
const SKEW_MS_MAX = 10 * 365 * 86_400_000

/** What an agent says of its host, within what can be: it may say anything. */
export function readHostLoad(load: HostLoadMessage | undefined): HostLoad {
  if (load === undefined) return NO_LOAD
  return {
    cpuRatio: within(load.cpuRatio, 0, 1),
    memoryRatio: within(load.memoryRatio, 0, 1),
    diskRatio: within(load.diskRatio, 0, 1),
    eventLoopDelayMs: within(durationToMs(load.eventLoopDelay) ?? 0, 0, DELAY_MS_MAX),
  }
}

/** By how much the clock of an agent is ahead, in ms; negative: behind. */
export function readClockSkewMs(agentTime: Date | undefined, now: Date): number {
  if (agentTime === undefined) return 0
  return within(agentTime.getTime() - now.getTime(), -SKEW_MS_MAX, SKEW_MS_MAX)
}

function within(value: number, min: number, max: number): number {
  return Number.isNaN(value) ? 0 : Math.min(max, Math.max(min, value))
}

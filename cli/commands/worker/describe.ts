import {
  type Worker,
  WorkerHealth,
  WorkerState,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { exactTime } from '../../output/time.ts'
import { word } from '../../words.ts'

/** `healthy`; `healthy, draining` when an operator wants something of it. */
export function describeHealth({ health, state }: Worker): string {
  const wanted = state === WorkerState.ACTIVE ? '' : word(WorkerState, state)
  return [word(WorkerHealth, health), wanted].filter((part) => part !== '').join(', ')
}

/** `region=eu,tier=canary` */
export function describeLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}

/** `draining by token:admin: new kernel`; empty for an active one. */
export function describeState({ state, stateActor, stateReason }: Worker): string {
  if (state === WorkerState.ACTIVE) return ''
  const who = stateActor === '' ? '' : ` by ${stateActor}`
  return `${word(WorkerState, state)}${who}${stateReason === '' ? '' : `: ${stateReason}`}`
}

/** `2 of 5 still run, until 2026-11-20T10:15:00Z (in 3m)`; empty when it does not drain. */
export function describeDrain({ drain, state }: Worker, now: Date): string {
  if (drain === undefined || state !== WorkerState.DRAINING) return ''
  const { initialCount, remainingCount, deadlineTime } = drain
  const of = initialCount >= remainingCount ? ` of ${initialCount}` : ''
  const end = deadlineTime === undefined ? '' : `, until ${exactTime(deadlineTime, now)}`
  return `${remainingCount}${of} still running${end}`
}

/** ` 2 left` behind `draining`, in a list; empty when it does not drain. */
export function describeLeft({ drain, state }: Worker): string {
  return drain !== undefined && state === WorkerState.DRAINING
    ? ` ${drain.remainingCount} left`
    : ''
}

/** What the busiest of processor, memory and disk is at: `97%`; empty without a session. */
export function describeLoad({ load }: Worker): string {
  return load === undefined ? '' : percent(Math.max(...loads(load).map(([, ratio]) => ratio)))
}

/** `cpu 12%, memory 40%, disk 70%` */
export function describeLoads({ load }: Worker): string {
  if (load === undefined) return ''
  return loads(load)
    .map(([name, ratio]) => `${name} ${percent(ratio)}`)
    .join(', ')
}

function loads(load: NonNullable<Worker['load']>): [string, number][] {
  return [
    ['cpu', load.cpuRatio],
    ['memory', load.memoryRatio],
    ['disk', load.diskRatio],
  ]
}

export function percent(ratio: number): string {
  return `${Math.round(ratio * 100)}%`
}

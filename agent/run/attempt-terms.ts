/** What an assignment asks for, with what holds when it does not say. Pure. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { Guarantee } from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../../shared/duration.ts'

/** Kept of both outputs of an attempt unless its job says otherwise, in bytes. */
const LOG_BYTES_DEFAULT = 10 * 1024 * 1024
const KILL_GRACE_DEFAULT_MS = 10_000

/** Kept of both outputs together, in bytes. */
export function logCapBytes({ limits }: Assignment): number {
  return Number(limits?.logBytes ?? 0n) || LOG_BYTES_DEFAULT
}

/** From TERM to KILL, in ms. */
export function killGraceMs({ killGrace }: Assignment): number {
  return durationToMs(killGrace) ?? KILL_GRACE_DEFAULT_MS
}

/** Slots that an assignment takes. */
export function slotsOf({ slots }: Assignment): number {
  return Math.max(1, slots)
}

/** True for attempts that must not run without a lease. */
export function isGuarded({ guarantee }: Assignment): boolean {
  return guarantee === Guarantee.EXCLUSIVE || guarantee === Guarantee.AT_MOST_ONCE
}

/** True for attempts whose work is a function of the agent: they have no folder before they write something. */
export function isHandler({ task }: Assignment): boolean {
  return task?.kind?.$case === 'handler'
}

/** False for what would die with the agent anyway and may be run again: no next start of it has anything to look for. */
export function needsJournal(assignment: Assignment): boolean {
  return !isHandler(assignment) || assignment.guarantee === Guarantee.AT_MOST_ONCE
}

/** True for attempts whose work is a process, which the warden has; the others live and die with the agent. */
export function isProcess({ task }: Assignment): boolean {
  const kind = task?.kind?.$case
  return kind === 'shell' || kind === 'script'
}

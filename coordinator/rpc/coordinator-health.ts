import { type ComponentHealth, HealthState } from '../../proto/gen/rota/v1/system_service.ts'
import { durationFromMs, formatDurationMs } from '../../shared/duration.ts'
import type { Member } from '../cluster/membership.ts'

/** The end of an id tells coordinators apart that started together. */
const ID_LENGTH = 8
/** A coordinator that says nothing for this long, in ms, is probably gone or frozen. */
const SILENT_MS = 4_000

/** Each coordinator as a component of the cluster's health; the first of them is the one that answers. */
export function coordinatorHealth(members: readonly Member[], now: Date): ComponentHealth[] {
  return members.map((member, index) => {
    const isSilent = member.silentMs > SILENT_MS
    const upMs = Math.max(0, now.getTime() - member.startedAt.getTime())
    const parts = [
      member.address,
      `${member.sessionCount} ${member.sessionCount === 1 ? 'agent' : 'agents'}`,
      `up ${formatDurationMs(upMs)}`,
      member.version,
      ...(index === 0 ? ['answering'] : []),
      ...(member.isDraining ? ['draining'] : []),
      ...(isSilent ? [`silent for ${formatDurationMs(member.silentMs)}`] : []),
    ]
    return {
      component: `coordinator/${member.id.slice(-ID_LENGTH)}`,
      state: isSilent ? HealthState.DEGRADED : HealthState.HEALTHY,
      message: parts.join(', '),
      latency: durationFromMs(member.silentMs),
    }
  })
}

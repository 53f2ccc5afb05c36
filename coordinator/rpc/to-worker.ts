import { Worker, WorkerHealth, WorkerState } from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import type { WorkerRow } from '../query/fleet-queries.ts'

/** A session that was not renewed for this long has missed its heartbeats, in ms. */
const UNRESPONSIVE_MS = 6_000
/** Failures in a row from which a worker is chosen last, and from which it is in doubt. */
const WARNING_FAILURES = 3
const DEGRADED_FAILURES = 10

export function toWorker(row: WorkerRow): Worker {
  const [health, healthMessage] = healthOf(row)
  return Worker.fromPartial({
    name: resourceName('workers', row.name),
    uid: row.uid,
    displayName: row.display_name,
    state: enumFromWord(WorkerState, row.state),
    capabilities: row.capabilities,
    handlers: row.handlers,
    labels: row.labels,
    slotCount: row.slots,
    usedSlotCount: row.used_slots,
    hostname: row.hostname,
    platform: row.platform,
    agentVersion: row.agent_version,
    connectTime: row.connected_at ?? undefined,
    lastHeartbeatTime: row.last_heartbeat_at ?? undefined,
    clockSkew: row.clock_skew_ms === null ? undefined : durationFromMs(row.clock_skew_ms),
    health,
    healthMessage,
    consecutiveFailures: row.consecutive_failures,
    loadRatio: row.load_ratio ?? 0,
  })
}

function healthOf(row: WorkerRow): [WorkerHealth, string] {
  const { silent_ms: silentMs, consecutive_failures: failures } = row
  if (silentMs === null) return [WorkerHealth.OFFLINE, 'not connected']
  if (silentMs > UNRESPONSIVE_MS) {
    return [WorkerHealth.UNRESPONSIVE, `silent for ${Math.round(silentMs / 1_000)} s`]
  }
  if (failures >= DEGRADED_FAILURES) return [WorkerHealth.DEGRADED, `${failures} failures in a row`]
  if (failures >= WARNING_FAILURES) return [WorkerHealth.WARNING, `${failures} failures in a row`]
  return [WorkerHealth.HEALTHY, '']
}

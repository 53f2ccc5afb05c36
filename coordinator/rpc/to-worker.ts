import {
  type DrainStatus,
  Worker,
  WorkerHealth,
  WorkerState,
} from '../../proto/gen/rota/v1/worker_service.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import { type HostLoad, NO_LOAD } from '../job/host-load.ts'
import { type HealthVerdict, judgeHealth } from '../job/worker-health.ts'
import type { WorkerRow } from '../query/fleet-queries.ts'

export function toWorker(row: WorkerRow): Worker {
  const { health, message } = healthOf(row)
  const load = loadOf(row)
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
    health: enumFromWord(WorkerHealth, health),
    healthMessage: message,
    consecutiveFailures: row.consecutive_failures,
    loadRatio: row.load_ratio ?? 0,
    stateReason: row.state_reason,
    stateActor: row.state_actor,
    stateTime: row.state_at ?? undefined,
    drain: drainOf(row),
    load: load && {
      cpuRatio: load.cpuRatio,
      memoryRatio: load.memoryRatio,
      diskRatio: load.diskRatio,
      eventLoopDelay: durationFromMs(load.eventLoopDelayMs),
    },
    refusedMessageCount: BigInt(row.refused_messages),
  })
}

/** As the database knows the worker: its session may live on any coordinator. */
export function healthOf(row: WorkerRow): HealthVerdict {
  return judgeHealth({
    silentMs: row.silent_ms ?? undefined,
    consecutiveFailures: row.consecutive_failures,
    load: loadOf(row) ?? NO_LOAD,
    clockSkewMs: row.clock_skew_ms ?? 0,
  })
}

/** Undefined without a session. */
function loadOf(row: WorkerRow): HostLoad | undefined {
  if (row.silent_ms === null) return undefined
  return {
    cpuRatio: row.cpu_ratio ?? 0,
    memoryRatio: row.memory_ratio ?? 0,
    diskRatio: row.disk_ratio ?? 0,
    eventLoopDelayMs: row.event_loop_delay_ms ?? 0,
  }
}

function drainOf(row: WorkerRow): DrainStatus | undefined {
  if (row.drain_started_at === null) return undefined
  return {
    startTime: row.drain_started_at,
    deadlineTime: row.drain_deadline_at ?? undefined,
    initialCount: row.drain_initial,
    remainingCount: row.in_flight,
  }
}

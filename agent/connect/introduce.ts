/** What the agent says of itself. */
import { hostname } from 'node:os'
import type { Heartbeat, Hello } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { AgentConfig } from '../config.ts'
import type { AttemptStore } from '../report/attempt-store.ts'
import { AGENT_VERSION, PROTOCOL_VERSION } from '../version.ts'
import type { HostWatch } from './host-load.ts'

export function composeHello(options: {
  readonly config: AgentConfig
  readonly handlers: Iterable<string>
  readonly store: AttemptStore
  /** One per boot of the host and start of the agent. */
  readonly bootId: string
  readonly previousSession: string
}): Hello {
  const { config, store } = options
  const held = store.list().filter(({ acknowledgedAtMs, isJournaled }) => {
    return acknowledgedAtMs === undefined && isJournaled
  })
  return {
    protocolVersion: PROTOCOL_VERSION,
    agentVersion: AGENT_VERSION,
    hostname: hostname(),
    platform: `${process.platform}-${process.arch}`,
    bootId: options.bootId,
    slots: config.slots,
    capabilities: [...config.capabilities],
    labels: { ...config.labels },
    previousSession: options.previousSession,
    held: held.map(({ execution, epoch, result }) => ({
      execution,
      epoch,
      finished: result !== undefined,
    })),
    handlers: [...options.handlers],
  }
}

export function composeHeartbeat(options: {
  readonly sequence: bigint
  readonly lateMs: number
  readonly freeSlots: number
  readonly now: Date
  readonly host: HostWatch
}): Heartbeat {
  const { sequence, freeSlots, host, lateMs, now } = options
  return { sequence, freeSlots, agentTime: now, load: host.sample(lateMs) }
}

/** What the agent says of itself. */
import type { Heartbeat, Hello, HostLoad } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type { Clock } from '../../shared/clock.ts'
import type { AttemptStore } from '../report/attempt-store.ts'

/** What does not change while the agent lives. */
export interface AgentFacts {
  readonly agentVersion: string
  readonly hostname: string
  /** e.g. `linux-x64` */
  readonly platform: string
  /** One per boot of the host and start of the agent. */
  readonly bootId: string
  readonly slots: number
  readonly capabilities: readonly string[]
  readonly handlers: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** How the host is. */
export interface LoadProbe {
  /** False when the disk of the agent's folder is nearly full. */
  readonly hasSpace: boolean
  /** The load since the last call; `lateMs` is how late the timer of the heartbeat was. */
  sample(lateMs: number): HostLoad
}

export function composeHello(options: {
  readonly facts: AgentFacts
  readonly protocolVersion: number
  readonly store: AttemptStore
  readonly previousSession: string
  readonly order: bigint
}): Hello {
  const { facts, order, previousSession, protocolVersion, store } = options
  // Also what is on its way to the disk: it will run, so nobody else may. If the disk fails, it is refused.
  const held = store.list().filter(({ acknowledgedAtMs }) => acknowledgedAtMs === undefined)
  return {
    ...facts,
    protocolVersion,
    capabilities: [...facts.capabilities],
    handlers: [...facts.handlers],
    labels: { ...facts.labels },
    previousSession,
    order,
    held: held.map(({ execution, epoch, result }) => ({
      execution,
      epoch,
      finished: result !== undefined,
    })),
  }
}

/**
 * Numbers that rise with every hello, whatever the clock does. From one start of the agent to the next they rise with the
 * clock; one that was set back meanwhile keeps the agent out until the lease of its last life has ended.
 */
export function createHelloOrder(clock: Clock): () => bigint {
  let last = 0n
  return () => {
    const now = BigInt(clock.now().getTime())
    last = now > last ? now : last + 1n
    return last
  }
}

export function composeHeartbeat(options: {
  readonly sequence: bigint
  readonly lateMs: number
  readonly freeSlots: number
  readonly now: Date
  readonly host: LoadProbe
}): Heartbeat {
  const { sequence, freeSlots, host, lateMs, now } = options
  return { sequence, freeSlots, agentTime: now, load: host.sample(lateMs) }
}

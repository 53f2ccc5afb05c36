/** What a cluster under test is made of. */
export interface ClusterShape {
  readonly coordinators: number
  readonly agents: number
  /** Of each agent. */
  readonly slots: number
  /** Length of a session's lease, L. */
  readonly leaseMs: number
  /** One server, on a disk that is as small as its name says; or a primary with a standby. */
  readonly postgres: 'single' | 'small_disk' | 'synchronous' | 'asynchronous'
  /** `namespaces`: each agent has a network of its own, plugged into a bridge. Needs root. */
  readonly network: 'host' | 'namespaces'
  /** `own`: the wall clock of each coordinator and agent can be set. Needs libfaketime. */
  readonly clocks: 'host' | 'own'
}

export const USUAL_SHAPE: ClusterShape = {
  ...{ coordinators: 2, agents: 4, slots: 4, leaseMs: 12_000 },
  ...{ postgres: 'single', network: 'host', clocks: 'host' },
}

import { Finished, Report } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../../proto/gen/rota/v1/execution.ts'
import { resourceName } from '../../../shared/wire.ts'
import { FORGED } from '../checks/forged.ts'
import type { FaultContext, FaultKind } from './fault.ts'

/** No agent comes so far in a run. */
const FORGED_SEQUENCE = 1_000_000_000n

function pickPair({ cluster, random }: FaultContext): readonly [string, string] {
  return [random.pick(cluster.agents).name, random.pick(cluster.coordinators).address]
}

function closeFor(
  context: FaultContext,
  links: readonly (readonly [string, string])[],
  delayMs: number,
): boolean {
  const { network } = context.cluster
  for (const [from, to] of links) network.close(from, to)
  context.mendAfter(delayMs, () => {
    for (const [from, to] of links) network.open(from, to)
  })
  return true
}

export const networkFaults: readonly FaultKind[] = [
  {
    name: 'connection reset',
    weight: 3,
    strike({ cluster, random }) {
      const { streams } = cluster.network
      if (streams.length === 0) return false
      random.pick(streams).reset()
      return true
    },
  },
  {
    name: 'half open: the coordinator is not told',
    weight: 2,
    strike({ cluster, random }) {
      const { streams } = cluster.network
      if (streams.length === 0) return false
      random.pick(streams).breakAgent('half open')
      return true
    },
  },
  {
    name: 'reset storm',
    weight: 0.5,
    strike({ cluster }) {
      for (const stream of cluster.network.streams) stream.reset()
      return true
    },
  },
  {
    name: 'stall',
    weight: 3,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, address],
          [address, agent],
        ],
        context.random.span(100, 4_000),
      )
    },
  },
  {
    name: 'one way only, up',
    weight: 1,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(context, [[address, agent]], context.random.span(500, 20_000))
    },
  },
  {
    name: 'one way only, down',
    weight: 1,
    strike(context) {
      const [agent, address] = pickPair(context)
      return closeFor(context, [[agent, address]], context.random.span(500, 20_000))
    },
  },
  {
    name: 'agent cut off, less than a lease',
    weight: 2,
    strike(context) {
      const [agent] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, '*'],
          ['*', agent],
        ],
        context.random.span(500, 9_000),
      )
    },
  },
  {
    name: 'agent cut off, longer than a lease',
    weight: 1.5,
    strike(context) {
      const [agent] = pickPair(context)
      return closeFor(
        context,
        [
          [agent, '*'],
          ['*', agent],
        ],
        context.random.span(12_000, 40_000),
      )
    },
  },
  {
    name: 'coordinator black-holed',
    weight: 1,
    strike(context) {
      const [, address] = pickPair(context)
      return closeFor(
        context,
        [
          [address, '*'],
          ['*', address],
        ],
        context.random.span(1_000, 20_000),
      )
    },
  },
  {
    name: 'slow network',
    weight: 1,
    strike({ cluster, random, mendAfter }) {
      const { network } = cluster
      const usual = network.latencyMs
      network.latencyMs = { low: 20, high: random.span(100, 900) }
      mendAfter(random.span(1_000, 10_000), () => {
        network.latencyMs = usual
      })
      return true
    },
  },
  {
    name: 'an old report comes again',
    weight: 1.5,
    strike({ cluster, random }) {
      const { reports, streams } = cluster.network
      const again = reports.length === 0 ? undefined : random.pick(reports)
      const stream = streams.find(({ agentProcess }) => agentProcess === again?.agentProcess)
      if (again === undefined || stream?.isConnected !== true) return false
      stream.write(again.message)
      return true
    },
  },
  {
    name: "an agent reports another one's attempt",
    weight: 1,
    strike({ cluster, random }) {
      const { agents, database, network } = cluster
      const [row] = [...database.tables.execution.committed()].filter(
        (each) => each.session_id !== null,
      )
      const stream = network.streams.find(({ agent, isConnected }) => {
        return isConnected && agent !== agents[(row?.worker_id ?? 1) - 1]?.name
      })
      if (row === undefined || stream === undefined) return false
      const finished = Finished.fromPartial({
        execution: resourceName('executions', row.id),
        epoch: BigInt(row.epoch),
        outcome: random.pick([AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED]),
        message: `INTERNAL: ${FORGED}`,
        exitCode: 0,
      })
      const report = Report.fromPartial({ sequence: FORGED_SEQUENCE, finished: [finished] })
      stream.write({ message: { $case: 'report', value: report } })
      return true
    },
  },
]

import { Finished, Report } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../../proto/gen/rota/v1/execution.ts'
import { resourceName } from '../../../shared/wire.ts'
import { FORGED } from '../checks/forged.ts'
import type { Said } from '../world/virtual-network.ts'
import type { Cluster } from './cluster.ts'
import type { FaultContext, FaultKind } from './fault.ts'

/** No agent comes so far in a run. */
const FORGED_SEQUENCE = 1_000_000_000n

/** More would cordon the agents, for which there are other tests. */
const FORGERIES_MAX = 15
const forgeries = new WeakMap<Cluster, number>()

/** Of what was said before, something about an execution that is live now, if there is any. */
function pickSaid<M>(
  { cluster, random }: FaultContext,
  said: readonly Said<M>[],
  refsOf: (message: M) => readonly { readonly execution: string; readonly epoch: bigint }[],
): Said<M> | undefined {
  const { execution } = cluster.database.tables
  const live = said.filter(({ message }) =>
    refsOf(message).some(
      (ref) => execution.getCommitted(ref.execution.split('/')[1] ?? '') !== undefined,
    ),
  )
  const choice = live.length > 0 ? live : said
  return choice.length === 0 ? undefined : random.pick(choice)
}

function streamOf({ cluster }: FaultContext, said: Said<unknown> | undefined) {
  const { streams } = cluster.network
  return streams.find((each) => each.agentProcess === said?.agentProcess && each.isConnected)
}

/** What networks do not do, but programs that send again, and programs that lie. */
export const messageFaults: readonly FaultKind[] = [
  {
    name: 'an old report comes again',
    weight: 2,
    strike(context) {
      const said = pickSaid(context, context.cluster.network.reports, ({ message }) =>
        message?.$case === 'report' ? message.value.finished : [],
      )
      const stream = streamOf(context, said)
      if (said === undefined || stream === undefined) return false
      stream.write(said.message)
      return true
    },
  },
  {
    name: 'an assignment comes again',
    weight: 2,
    strike(context) {
      const { tables } = context.cluster.database
      // A coordinator sends again only what the database says.
      const isCurrent = (
        ref: { readonly execution: string; readonly epoch: bigint },
        agent: string,
      ) => {
        const row = tables.execution.getCommitted(ref.execution.split('/')[1] ?? '')
        const worker =
          row?.worker_id == null ? undefined : tables.worker.getCommitted(row.worker_id)
        return row?.epoch === Number(ref.epoch) && worker?.name === agent
      }
      const again = context.cluster.network.assigns.filter(
        ({ agentProcess, message: { message } }) => {
          if (message?.$case !== 'assign') return false
          const agent = streamOf(context, { agentProcess, message })?.agent
          return (
            agent !== undefined && message.value.assignments.every((each) => isCurrent(each, agent))
          )
        },
      )
      if (again.length === 0) return false
      const said = context.random.pick(again)
      streamOf(context, said)?.write(said.message)
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
      const count = forgeries.get(cluster) ?? 0
      if (row === undefined || stream === undefined || count >= FORGERIES_MAX) return false
      forgeries.set(cluster, count + 1)
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

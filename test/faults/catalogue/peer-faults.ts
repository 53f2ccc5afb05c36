/** Clients and agents that behave badly towards coordinators. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { credentials, Metadata } from '@grpc/grpc-js'
import { Heartbeat } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { JobServiceClient, ListJobsRequest } from '../../../proto/gen/rota/v1/job_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../../shared/channel-options.ts'
import { coordinatorFiles } from '../../../shared/data-dir.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedSession,
  type ScriptedTarget,
} from '../../support/scripted-agent.ts'
import type { CoordinatorNode } from '../cluster/coordinator.ts'
import type { Stage } from '../run/stage.ts'
import { type Fault, unless } from './fault.ts'

const CANCELS = 2_000

export const clientCancels: Fault = {
  name: 'client-cancels',
  what: `a client begins ${CANCELS} calls on one connection and cancels each at once`,
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const probe = await stage.probe(stage.bystander)
    const linesBefore = stage.cluster.agents.map((agent) => agent.lines().length)
    const { node } = await stage.busyCoordinator()
    const files = coordinatorFiles(node.dataDir)
    const secure = credentials.createSsl(readFileSync(files.caCertificate))
    const client = new JobServiceClient(node.grpcAddress, secure, CLIENT_CHANNEL_OPTIONS)
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${readFileSync(files.adminToken, 'utf8').trim()}`)
    for (let count = 0; count < CANCELS; count += 1) {
      const call = client.listJobs(ListJobsRequest.fromPartial({}), metadata, () => {})
      if (count % 20 === 0) await sleep(1)
      call.cancel()
    }
    client.close()
    await stage.whenApiServes()
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    for (const [index, agent] of stage.cluster.agents.entries()) {
      const lost = agent.lines().slice(linesBefore[index]).filter(isLoss)
      problems.push(...lost.map((line) => `${agent.name} lost its connection: ${line}`))
    }
    return { recoveryMs: undefined, problems }
  },
}

/** Sessions come and go when coordinators share the agents out anew; only this line tells of a fault. */
function isLoss(line: string): boolean {
  return line.includes('"not connected')
}

const FLOOD = 10_000

export const hostileAgent: Fault = {
  name: 'hostile-agent',
  what: `an agent reports results of others, with right, old and future epochs, and ${FLOOD} messages at once`,
  target: undefined,
  allowsOverlap: 'none',
  async run(stage) {
    const { node } = await stage.busyCoordinator()
    const target = targetOf(node)
    const identity = await joinScripted(target, `hostile-${Date.now()}`)
    const probe = await stage.probe({ seconds: stage.bystander.seconds + 2 })
    const current = await epochOf(stage, probe.execution)
    const execution = `executions/${probe.execution}`
    const hostile = await connectScripted(target, identity, { capabilities: ['hostile'], slots: 1 })
    try {
      for (const epoch of [current, current - 1n, current + 1_000n]) {
        await sayAndSurvive(hostile, execution, epoch)
      }
      flood(hostile)
    } catch (error) {
      // To be thrown out is what it should expect.
      void error
    }
    await stage.whenApiServes()
    const problems = unless(await probe.ended(), 'succeeded', ['succeeded'])
    hostile.cut()
    const forged = await stage.cluster.query(
      'select 1 from rota.attempt where worker = $1 union all select 1 from rota.late_report where worker = $1',
      [identity.name],
    )
    if (forged.length > 0) problems.push(`${forged.length} of its forgeries were stored`)
    return { recoveryMs: undefined, problems }
  },
}

function targetOf(node: CoordinatorNode): ScriptedTarget {
  return {
    address: () => node.grpcAddress,
    workers: node.clients().promised.workers,
    files: coordinatorFiles(node.dataDir),
  }
}

async function epochOf({ cluster }: Stage, execution: string): Promise<bigint> {
  const sql = 'select epoch::text from rota.execution where id = $1'
  const [row] = await cluster.query<{ epoch: string }>(sql, [execution])
  return BigInt(row?.epoch ?? 0)
}

/** The report is acknowledged, or it ends the stream. */
async function sayAndSurvive(
  session: ScriptedSession,
  execution: string,
  epoch: bigint,
): Promise<void> {
  const report = session.report({ finished: [finished({ execution, epoch })] })
  await Promise.race([report, session.ended])
}

function flood(session: ScriptedSession): void {
  for (let count = 0; count < FLOOD; count += 1) {
    session.send({ $case: 'heartbeat', value: Heartbeat.fromPartial({ sequence: BigInt(count) }) })
  }
}

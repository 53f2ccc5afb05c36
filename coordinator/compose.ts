/** Builds the coordinator: the database, the flow, and the edges that let people and agents in. */

import { isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import type pg from 'pg'
import type { Clock } from '../shared/clock.ts'
import { coordinatorFiles } from '../shared/data-dir.ts'
import type { Logger } from '../shared/logger.ts'
import { readTogether } from '../shared/micro-batcher.ts'
import type { Random } from '../shared/random.ts'
import { inOrder, type Service } from '../shared/service.ts'
import { composeFlow, type Flow } from './compose-flow.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Deps } from './deps.ts'
import { createEventFeed, type EventFeed } from './events/event-feed.ts'
import { createHttpServer } from './gateway/http-server.ts'
import { ensureAdminToken } from './identity/admin-token.ts'
import { openAuthority } from './identity/certificate-authority.ts'
import { type CertificateWatch, createCertificateWatch } from './identity/certificate-watch.ts'
import { ensureClusterAuthority } from './identity/cluster-authority.ts'
import { createAuthenticator } from './identity/principal.ts'
import { readFleet } from './query/fleet-queries.ts'
import { createRetentionLoop, keepPartitions } from './retention/retention-loop.ts'
import { createErrorBoundary } from './rpc/error-boundary.ts'
import { createReadTriggered } from './rpc/read-triggered.ts'
import { createRpcServer, type RpcServer } from './rpc/server.ts'
import { createHints } from './store/hints.ts'
import { createJobSpecs } from './store/job-specs.ts'
import { migrateToLatest } from './store/migrate.ts'
import { openPrimary } from './store/open-primary.ts'
import type { Primary } from './store/primary.ts'

export interface Ambient {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface Coordinator extends Service {
  grpcAddress(): string
  httpAddress(): string
}

/** Opens the database, brings it up to date, and builds everything; `start` begins to serve. */
export async function composeCoordinator(
  ambient: Ambient,
  config: CoordinatorConfig,
  connection: string | Readonly<pg.ClientConfig>,
): Promise<Coordinator> {
  const seenFile = coordinatorFiles(config.dataDir).timelines
  const primary = await openPrimary(connection, { ...ambient, seenFile })
  try {
    await primary.start()
    return await composeOver(primary, ambient, config)
  } catch (error) {
    await primary.stop()
    throw error
  }
}

async function composeOver(
  primary: Primary,
  ambient: Ambient,
  config: CoordinatorConfig,
): Promise<Coordinator> {
  const { db } = primary
  const deps: Deps = { ...ambient, db, hints: createHints(), specs: createJobSpecs() }
  const { applied, later } = await migrateToLatest(db)
  if (applied.length > 0) ambient.logger.info({ applied }, 'migrated the database')
  if (later.length > 0) ambient.logger.info({ later }, 'the database is of a later release')
  await keepPartitions(deps, config.retentionMs)
  const address = () => advertisedAddress(config, rpc.address())
  const flow = composeFlow(deps, { leaseMs: config.leaseMs, address })
  const apiDeps: Deps = { ...deps, db: primary.apiDb }
  const events = createEventFeed(apiDeps)
  const certificates = createCertificateWatch(deps)
  const rpc: RpcServer = await composeRpc(apiDeps, config, {
    flow,
    events,
    address,
    certificates,
  })
  const http = createHttpServer(deps, { host: '127.0.0.1', port: config.httpPort })
  await watchServers(primary, flow)
  primary.onServing(() => {
    for (const loop of flow.loops) loop.wake()
  })
  const farewell: Service = { start: async () => {}, stop: () => flow.leave() }
  const retention = createRetentionLoop(deps, config.retentionMs)
  const service = inOrder([
    ...[primary, rpc, flow.membership, http],
    // The loops go on until the agents have gone: their leases hold.
    ...[...flow.loops, certificates, retention, farewell, events],
  ])
  return { ...service, grpcAddress: () => rpc.address(), httpAddress: () => http.address() }
}

/** The flow learns of the server that is used now, and of each later one before anybody else. */
async function watchServers(primary: Primary, { recovery }: Flow): Promise<void> {
  primary.onFound(async (db, { timeline }) => recovery.enter(db, timeline))
  await recovery.enter(primary.db, primary.facts.timeline)
}

interface RpcParts {
  readonly flow: Flow
  readonly events: EventFeed
  readonly address: () => string
  readonly certificates: CertificateWatch
}

async function composeRpc(
  deps: Deps,
  config: CoordinatorConfig,
  { address, certificates, events, flow }: RpcParts,
): Promise<RpcServer> {
  const files = coordinatorFiles(config.dataDir)
  const authority = await openAuthority({
    ...deps,
    files,
    ca: await ensureClusterAuthority(deps, { files, clusterKey: config.clusterKey }),
    names: namesOf(config),
    agentCertificateMs: config.agentCertificateMs,
  })
  await ensureAdminToken(deps, files.adminToken)
  const read = { ...deps, readFleet: readTogether(async () => readFleet(deps.db)) }
  return createRpcServer(
    {
      ...read,
      boundary: createErrorBoundary(deps),
      triggerJob: flow.triggerJob,
      readTriggered: createReadTriggered(read),
      backfillJob: flow.backfillJob,
      endExecutions: flow.endExecutions,
      enrollment: { ...deps, authority, advertisedAddress: address },
      members: flow.membership.members,
      converse: flow.converse,
      events,
      certificates,
      conduct: flow.conduct,
    },
    {
      host: config.listen,
      port: config.grpcPort,
      authority,
      authenticator: createAuthenticator(deps),
    },
  )
}

/** For the certificate, beside the names of this host. */
function namesOf({ advertise, listen }: CoordinatorConfig): string[] {
  return [...advertise.map(({ host }) => host), ...(isAnyAddress(listen) ? [] : [listen])]
}

/** Where agents reach this coordinator; `address` is the one that it listens on. */
function advertisedAddress({ advertise, listen }: CoordinatorConfig, address: string): string {
  const [first] = advertise
  const host = first?.host ?? (isAnyAddress(listen) ? hostname() : listen)
  const port = first?.port ?? address.slice(address.lastIndexOf(':') + 1)
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`
}

function isAnyAddress(listen: string): boolean {
  return listen === '0.0.0.0' || listen === '::'
}

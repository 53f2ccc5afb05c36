/** Builds the coordinator: the database, the flow, and the edges that let people and agents in. */
import type pg from 'pg'
import type { Clock } from '../shared/clock.ts'
import { coordinatorFiles } from '../shared/data-dir.ts'
import type { Logger } from '../shared/logger.ts'
import type { Random } from '../shared/random.ts'
import { inOrder, type Service } from '../shared/service.ts'
import { composeFlow, type Flow } from './compose-flow.ts'
import type { CoordinatorConfig } from './config.ts'
import type { Deps } from './deps.ts'
import { createHttpServer } from './gateway/http-server.ts'
import { ensureAdminToken } from './identity/admin-token.ts'
import { openAuthority } from './identity/certificate-authority.ts'
import { createAuthenticator } from './identity/principal.ts'
import { createRetentionLoop, keepPartitions } from './retention/retention-loop.ts'
import { createErrorBoundary } from './rpc/error-boundary.ts'
import { createRpcServer, type RpcServer } from './rpc/server.ts'
import { openDatabase } from './store/database.ts'
import { createHints } from './store/hints.ts'
import { createJobSpecs } from './store/job-specs.ts'
import { migrateToLatest } from './store/migrate.ts'

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
  const db = openDatabase({ connection, logger: ambient.logger })
  const deps: Deps = { ...ambient, db, hints: createHints(), specs: createJobSpecs() }
  const applied = await migrateToLatest(db)
  if (applied.length > 0) ambient.logger.info({ applied }, 'migrated the database')
  await keepPartitions(deps, config.retentionMs)
  const flow = composeFlow(deps, { leaseMs: config.leaseMs })
  const rpc = await composeRpc(deps, config, flow)
  const http = createHttpServer(deps, { host: '127.0.0.1', port: config.httpPort })
  const farewell: Service = { start: async () => {}, stop: async () => flow.sayGoodbye() }
  const database: Service = { start: async () => {}, stop: async () => db.destroy() }
  const retention = createRetentionLoop(deps, config.retentionMs)
  const service = inOrder([database, rpc, farewell, http, ...flow.loops, retention])
  return { ...service, grpcAddress: () => rpc.address(), httpAddress: () => http.address() }
}

async function composeRpc(deps: Deps, config: CoordinatorConfig, flow: Flow): Promise<RpcServer> {
  const files = coordinatorFiles(config.dataDir)
  const names = [
    ...config.advertise,
    ...(config.listen === '0.0.0.0' || config.listen === '::' ? [] : [config.listen]),
  ]
  const authority = await openAuthority({
    ...deps,
    files,
    names,
    agentCertificateMs: config.agentCertificateMs,
  })
  await ensureAdminToken(deps, files.adminToken)
  const rpc: RpcServer = createRpcServer(
    {
      ...deps,
      boundary: createErrorBoundary(deps),
      enqueue: flow.enqueue,
      endExecutions: flow.endExecutions,
      enrollment: {
        ...deps,
        authority,
        advertisedAddress: () => advertised(config, rpc.address()),
      },
      converse: flow.converse,
    },
    {
      host: config.listen,
      port: config.grpcPort,
      authority,
      authenticator: createAuthenticator(deps),
    },
  )
  return rpc
}

function advertised(config: CoordinatorConfig, address: string): string {
  const [name] = config.advertise
  return name === undefined ? address : `${name}:${address.slice(address.lastIndexOf(':') + 1)}`
}

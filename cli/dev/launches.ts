/** How the processes of a development cluster are started: their arguments and environment. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { WorkerServiceService } from '../../proto/gen/rota/v1/worker_service.ts'
import { agentFiles } from '../../shared/data-dir.ts'
import { resourceName } from '../../shared/wire.ts'
import type { Api } from '../client.ts'
import type { AgentPlan } from './agents.ts'
import type { Launch } from './child.ts'
import { devFiles } from './files.ts'

/** What all processes of a cluster have in common. */
export interface LaunchOptions {
  readonly dataDir: string
  readonly grpcPort: number
  readonly httpPort: number
  readonly env: Environment
}

type Environment = Readonly<Record<string, string | undefined>>

const AGENT_SLOTS = 4

/** The coordinator has the environment of `rota dev`, DATABASE_URL included. */
export function coordinatorLaunch({ dataDir, env, grpcPort, httpPort }: LaunchOptions): Launch {
  const ports = ['--grpc-port', String(grpcPort), '--http-port', String(httpPort)]
  return {
    args: ['--data-dir', dataDir, ...ports],
    env: { ...env, NODE_COMPILE_CACHE: devFiles(dataDir).compileCache },
  }
}

/** An agent without a certificate is given a token for its one worker, and joins by itself. */
export async function agentLaunch(
  plan: AgentPlan,
  { api, grpcAddress }: { readonly api: Pick<Api, 'call'>; readonly grpcAddress: string },
  { dataDir, env }: LaunchOptions,
): Promise<Launch> {
  const files = devFiles(dataDir)
  const folder = join(files.agents, plan.name)
  const hasJoined = existsSync(agentFiles(folder).certificate)
  const token = hasJoined ? undefined : await createJoinToken(api, plan.name)
  const place = ['--data-dir', folder, '--coordinator', grpcAddress, '--name', plan.name]
  const skills = ['--capabilities', plan.capabilities.join(','), '--slots', String(AGENT_SLOTS)]
  return {
    args: ['run', ...place, ...skills],
    env: {
      ...withoutSecrets(env),
      NODE_COMPILE_CACHE: files.compileCache,
      ...(token === undefined ? {} : { ROTA_JOIN_TOKEN: token }),
    },
  }
}

async function createJoinToken(api: Pick<Api, 'call'>, worker: string): Promise<string> {
  const { token } = await api.call(WorkerServiceService.createEnrollmentToken, {
    ttl: undefined,
    maxUses: 1,
    labels: {},
    worker: resourceName('workers', worker),
  })
  return token
}

/** What is meant for the coordinator or the CLI is not for the agents. */
function withoutSecrets(env: Environment): Environment {
  const isSecret = (name: string) => name === 'DATABASE_URL' || name.startsWith('ROTA_')
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isSecret(name)))
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { agentLaunch, coordinatorLaunch } from '../../../../cli/dev/launches.ts'
import type { CreateEnrollmentTokenRequest } from '../../../../proto/gen/rota/v1/worker_service.ts'

let dataDir: string
let requests: CreateEnrollmentTokenRequest[]
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'rota-launch-'))
  requests = []
})
afterEach(() => rmSync(dataDir, { recursive: true }))

const env = { PATH: '/bin', DATABASE_URL: 'postgresql://secret', ROTA_TOKEN_FILE: '/token' }
const options = () => ({ dataDir, grpcPort: 7420, httpPort: 7480, env })
const plan = { name: 'worker-9', capabilities: ['script', 'api'] }

function launch() {
  const call = async <Q, R>(_method: unknown, request: Q): Promise<R> => {
    requests.push(request as CreateEnrollmentTokenRequest)
    return { token: 'rota-join-token' } as R
  }
  return agentLaunch(plan, { api: { call }, grpcAddress: '127.0.0.1:7420' }, options())
}

it('gives an agent that has not joined a token for itself alone', async () => {
  const { args, env: given } = await launch()
  expect(requests).toMatchObject([{ worker: 'workers/worker-9', maxUses: 1 }])
  expect(given['ROTA_JOIN_TOKEN']).toBe('rota-join-token')
  expect(args.join(' ')).toBe(
    `run --data-dir ${dataDir}/agents/worker-9 --coordinator 127.0.0.1:7420 --name worker-9 --capabilities script,api --slots 4`,
  )
})

it('gives none to an agent that has joined', async () => {
  mkdirSync(join(dataDir, 'agents', 'worker-9'), { recursive: true })
  writeFileSync(join(dataDir, 'agents', 'worker-9', 'agent.crt'), '')
  const { env: given } = await launch()
  expect(requests).toEqual([])
  expect(given).not.toHaveProperty('ROTA_JOIN_TOKEN')
})

it('keeps from agents what is meant for the coordinator', async () => {
  const { env: given } = await launch()
  expect(given).toMatchObject({ PATH: '/bin' })
  expect(given).not.toHaveProperty('DATABASE_URL')
  expect(given).not.toHaveProperty('ROTA_TOKEN_FILE')
  expect(coordinatorLaunch(options()).env).toMatchObject({ DATABASE_URL: 'postgresql://secret' })
})

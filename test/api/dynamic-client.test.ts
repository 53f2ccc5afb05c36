/** A client that knows nothing but the descriptor set, as one in another language would: made at run time. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

const DESCRIPTORS = join(import.meta.dirname, '..', '..', 'proto', 'gen', 'rota.binpb')

interface Root {
  readonly rota: { readonly v1: { readonly JobService: ServiceClientConstructor } }
}

let rota: TestCoordinator
let client: Client
const metadata = new Metadata()

beforeAll(async () => {
  rota = await startTestCoordinator()
  const definition = loadFileDescriptorSetFromBuffer(readFileSync(DESCRIPTORS), { enums: String })
  const { rota: root } = loadPackageDefinition(definition) as unknown as Root
  const { JobService } = root.v1
  const secure = credentials.createSsl(readFileSync(rota.files.caCertificate))
  client = new JobService(rota.address().replace('127.0.0.1', 'localhost'), secure)
  metadata.set('authorization', `Bearer ${readFileSync(rota.files.adminToken, 'utf8').trim()}`)
})

afterAll(async () => {
  client.close()
  await rota.stop()
})

function call(method: string, request: object): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, response: Record<string, unknown>) =>
      error === null ? resolve(response) : reject(error)
    const unary = Reflect.get(client, method) as (...args: unknown[]) => void
    unary.call(client, request, metadata, done)
  })
}

describe('a client made from the descriptor set', () => {
  it('creates, reads and triggers a job, by the host name in the certificate', async () => {
    const spec = { task: { handler: { handler: 'noop' } } }
    await call('CreateJob', { job_id: 'dynamic', job: { spec } })
    expect(await call('GetJob', { name: 'jobs/dynamic' })).toMatchObject({
      job: { name: 'jobs/dynamic', state: 'JOB_STATE_ACTIVE', spec },
    })
    expect(await call('TriggerJob', { name: 'jobs/dynamic' })).toMatchObject({
      execution: { job: 'jobs/dynamic', state: 'EXECUTION_STATE_QUEUED' },
    })
  })
})

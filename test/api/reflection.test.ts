import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

const run = promisify(execFile)
const BUF = new URL('../../node_modules/.bin/buf', import.meta.url).pathname

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

/** `buf curl`, which learns everything about the API by reflection. */
async function curl(...args: readonly string[]): Promise<string> {
  const connection = ['--cacert', rota.files.caCertificate, '--protocol', 'grpc']
  // `*`: reflection is asked with the same headers.
  const header = ['--header', `Authorization: Bearer ${rota.token()}`, '--reflect-header', '*']
  const { stdout } = await run(BUF, ['curl', ...connection, ...header, ...args])
  return stdout
}

function url(path = ''): string {
  return `https://localhost:${rota.address().split(':')[1]}${path}`
}

test.each(['grpc-v1', 'grpc-v1alpha'])(
  'buf curl lists services and methods by %s',
  async (protocol) => {
    const by = ['--reflect-protocol', protocol]
    const services = (await curl(...by, '--list-services', url())).trim().split('\n')
    expect(services).toEqual(
      expect.arrayContaining([
        'rota.v1.JobService',
        'rota.agent.v1.AgentService',
        'grpc.health.v1.Health',
      ]),
    )
    expect(await curl(...by, '--list-methods', url())).toContain('rota.v1.JobService/CreateJob')
  },
)

test('buf curl describes and calls a method, and reads the details of its errors', async () => {
  await rota.createJob('seen', shell('true'))
  const answer = await curl('--data', '{"name": "jobs/seen"}', url('/rota.v1.JobService/GetJob'))
  expect(JSON.parse(answer)).toMatchObject({ job: { name: 'jobs/seen', version: 1 } })
  const refused = curl('--data', '{"name": "jobs/sen"}', url('/rota.v1.JobService/GetJob'))
  await expect(refused).rejects.toThrow(/JOB_NOT_FOUND|there is no job/)
})

test('buf curl asks for the health of the server and of a service', async () => {
  for (const data of ['{}', '{"service": "rota.v1.JobService"}']) {
    const answer = await curl('--data', data, url('/grpc.health.v1.Health/Check'))
    expect(JSON.parse(answer)).toEqual({ status: 'SERVING' })
  }
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createSamples } from '../../../../cli/dev/create-samples.ts'
import { Job } from '../../../../proto/gen/rota/v1/job.ts'
import type { CreateJobRequest } from '../../../../proto/gen/rota/v1/job_service.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import { systemRandom } from '../../../../shared/random.ts'

let folder: string
let requests: CreateJobRequest[]
let answer: () => Promise<unknown>

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-samples-'))
  requests = []
  answer = async () => ({})
})
afterEach(() => rmSync(folder, { recursive: true }))

const recordFile = () => join(folder, 'created.json')
const jobs = ['jobs/samples.a', 'jobs/samples.b'].map((name) => Job.fromPartial({ name, spec: {} }))

function create(): Promise<number> {
  const call = async <Q, R>(_method: unknown, request: Q): Promise<R> => {
    requests.push(request as CreateJobRequest)
    return (await answer()) as R
  }
  return createSamples(jobs, {
    api: { call },
    clock: systemClock,
    random: systemRandom,
    recordFile: recordFile(),
  })
}

it('creates each sample once, whatever became of it since', async () => {
  expect(await create()).toBe(2)
  expect(requests.map(({ jobId }) => jobId)).toEqual(['samples.a', 'samples.b'])
  expect(await create()).toBe(0)
  expect(requests).toHaveLength(2)
})

it('repeats a creation that was cut off under the same request id', async () => {
  answer = async () => {
    throw new RotaError('UNREACHABLE', 'gone')
  }
  await expect(create()).rejects.toThrow('gone')
  answer = async () => ({})
  expect(await create()).toBe(2)
  expect(requests.map(({ jobId }) => jobId)).toEqual(['samples.a', 'samples.a', 'samples.b'])
  expect(requests[1]?.requestId).toBe(requests[0]?.requestId)
  expect(requests[2]?.requestId).not.toBe(requests[0]?.requestId)
})

it('leaves a job of the same name alone', async () => {
  answer = async () => {
    throw new RotaError('JOB_ALREADY_EXISTS', 'there is one')
  }
  expect(await create()).toBe(2)
  expect(await create()).toBe(0)
})

it('says which file is damaged', async () => {
  writeFileSync(recordFile(), '{')
  await expect(create()).rejects.toThrow(`${recordFile()} cannot be read`)
  expect(readFileSync(recordFile(), 'utf8')).toBe('{')
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ensureSamples } from '../../../../cli/dev/ensure-samples.ts'
import { Job } from '../../../../proto/gen/rota/v1/job.ts'
import {
  type CreateJobRequest,
  JobServiceService,
  type UpdateJobRequest,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import { systemClock } from '../../../../shared/clock.ts'
import type { ErrorReason } from '../../../../shared/errors/catalogue.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import { systemRandom } from '../../../../shared/random.ts'

let folder: string
let creates: CreateJobRequest[]
let updates: UpdateJobRequest[]
/** Why the coordinator refuses the next calls. */
let refusal: ErrorReason | undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rota-samples-'))
  creates = []
  updates = []
  refusal = undefined
})
afterEach(() => rmSync(folder, { recursive: true }))

const recordFile = () => join(folder, 'created.json')
const jobs = (description = '') =>
  ['jobs/samples.a', 'jobs/samples.b'].map((name) => Job.fromPartial({ name, description }))

function ensure(wanted = jobs()): Promise<number> {
  const call = async <Q, R>(method: { readonly path: string }, request: Q): Promise<R> => {
    const isCreate = method.path === JobServiceService.createJob.path
    if (isCreate) creates.push(request as CreateJobRequest)
    else updates.push(request as UpdateJobRequest)
    if (refusal !== undefined) throw new RotaError(refusal, 'refused')
    return { job: Job.fromPartial({ etag: `etag-${creates.length + updates.length}` }) } as R
  }
  return ensureSamples(wanted, {
    api: { call },
    clock: systemClock,
    random: systemRandom,
    recordFile: recordFile(),
  })
}

it('creates each sample once, whatever became of it since', async () => {
  expect(await ensure()).toBe(2)
  expect(creates.map(({ jobId }) => jobId)).toEqual(['samples.a', 'samples.b'])
  expect(await ensure()).toBe(0)
  expect(creates).toHaveLength(2)
  expect(updates).toEqual([])
})

it('repeats a creation that was cut off under the same request id', async () => {
  refusal = 'UNREACHABLE'
  await expect(ensure()).rejects.toThrow('refused')
  refusal = undefined
  expect(await ensure()).toBe(2)
  expect(creates.map(({ jobId }) => jobId)).toEqual(['samples.a', 'samples.a', 'samples.b'])
  expect(creates[1]?.requestId).toBe(creates[0]?.requestId)
  expect(creates[2]?.requestId).not.toBe(creates[0]?.requestId)
})

it('updates what nobody touched when its file has changed', async () => {
  await ensure()
  expect(await ensure(jobs('new'))).toBe(0)
  expect(updates.map(({ job }) => [job?.name, job?.etag, job?.description])).toEqual([
    ['jobs/samples.a', 'etag-1', 'new'],
    ['jobs/samples.b', 'etag-2', 'new'],
  ])
  await ensure(jobs('newer'))
  expect(updates.slice(2).map(({ job }) => job?.etag)).toEqual(['etag-3', 'etag-4'])
})

it.each(['ETAG_MISMATCH', 'JOB_NOT_FOUND'] as const)(
  'never touches one again that a person changed or deleted (%s)',
  async (reason) => {
    await ensure()
    refusal = reason
    await ensure(jobs('new'))
    expect(updates).toHaveLength(2)
    refusal = undefined
    await ensure(jobs('newer'))
    expect(updates).toHaveLength(2)
    expect(creates).toHaveLength(2)
  },
)

it('leaves a job of the same name alone', async () => {
  refusal = 'JOB_ALREADY_EXISTS'
  await ensure()
  refusal = undefined
  expect(await ensure(jobs('new'))).toBe(0)
  expect(creates).toHaveLength(2)
  expect(updates).toEqual([])
})

it('says which file is damaged', async () => {
  writeFileSync(recordFile(), '{')
  await expect(ensure()).rejects.toThrow(`${recordFile()} cannot be read`)
  expect(readFileSync(recordFile(), 'utf8')).toBe('{')
})

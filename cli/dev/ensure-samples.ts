/**
 * Creates the sample jobs, each one once in the life of a data folder.
 *
 * S1. What a person changed or deleted stays so. What nobody touched follows its file: the port of the HTTP check.
 * S2. A creation that a crash cut off is repeated under its request id.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { JobServiceService } from '../../proto/gen/rota/v1/job_service.ts'
import type { Clock } from '../../shared/clock.ts'
import type { ErrorReason } from '../../shared/errors/catalogue.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { Random } from '../../shared/random.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import type { Api } from '../client.ts'
import { toId } from '../names.ts'

/** What is needed to create samples. */
export interface SampleDeps {
  readonly api: Pick<Api, 'call'>
  readonly clock: Clock
  readonly random: Random
  /** What was done before, as JSON. */
  readonly recordFile: string
}

interface Sample {
  readonly requestId: string
  /** `theirs`: a person has changed or deleted it, or has made one of this name. */
  readonly state: 'creating' | 'ours' | 'theirs'
  /** Of the job as we wrote it last. */
  readonly etag?: string
  /** SHA-256 of what we wrote last. */
  readonly digest?: string
}

type Samples = Readonly<Record<string, Sample>>

/** How many were created now. */
export async function ensureSamples(jobs: readonly Job[], deps: SampleDeps): Promise<number> {
  let samples = await readRecord(deps.recordFile)
  let created = 0
  const record = async (job: Job, sample: Sample) => {
    samples = { ...samples, [toId(job.name)]: sample }
    await replaceFile(deps.recordFile, `${JSON.stringify(samples, null, 2)}\n`)
  }
  for (const job of jobs) {
    const known = samples[toId(job.name)]
    if (known?.state === 'theirs') continue
    if (known?.state === 'ours') {
      if (known.digest !== digestOf(job)) await record(job, await update(job, known, deps))
      continue
    }
    const requestId = known?.requestId ?? newId(deps.clock, deps.random)
    await record(job, { requestId, state: 'creating' })
    await record(job, await create(job, requestId, deps))
    created += 1
  }
  return created
}

async function create(job: Job, requestId: string, { api }: SampleDeps): Promise<Sample> {
  const request = {
    jobId: toId(job.name),
    job: { ...job, name: '' },
    requestId,
    validateOnly: false,
  }
  const answer = await unless(
    ['JOB_ALREADY_EXISTS'],
    api.call(JobServiceService.createJob, request),
  )
  if (answer === undefined) return { requestId, state: 'theirs' }
  return { requestId, state: 'ours', etag: answer.job?.etag ?? '', digest: digestOf(job) }
}

/** The etag makes sure that it is still what we wrote. */
async function update(job: Job, sample: Sample, { api }: SampleDeps): Promise<Sample> {
  const answer = await unless(
    ['ETAG_MISMATCH', 'JOB_NOT_FOUND'],
    api.call(JobServiceService.updateJob, {
      job: { ...job, etag: sample.etag ?? '' },
      updateMask: ['display_name', 'description', 'labels', 'tags', 'spec'],
      allowMissing: false,
      validateOnly: false,
    }),
  )
  if (answer === undefined) return { ...sample, state: 'theirs' }
  return { ...sample, etag: answer.job?.etag ?? '', digest: digestOf(job) }
}

/** Undefined when the call fails for one of the reasons. */
async function unless<T>(
  reasons: readonly ErrorReason[],
  call: Promise<T>,
): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof RotaError && reasons.includes(error.reason)) return undefined
    throw error
  }
}

function digestOf(job: Job): string {
  return createHash('sha256').update(Job.encode(job).finish()).digest('hex')
}

async function readRecord(file: string): Promise<Samples> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw new RotaError('FIELD_INVALID', `${file} cannot be read`, {
      hint: 'Remove it: the sample jobs that are missing are then created again.',
      cause: error,
    })
  }
}

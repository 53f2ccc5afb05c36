/**
 * Creates the sample jobs, each one once in the life of a data folder: what a person changed or deleted stays so. A record
 * in the data folder says which were created; a creation cut off by a crash is repeated under its request id.
 */
import { readFile } from 'node:fs/promises'
import type { Job } from '../../proto/gen/rota/v1/job.ts'
import { JobServiceService } from '../../proto/gen/rota/v1/job_service.ts'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { Random } from '../../shared/random.ts'
import { replaceFile } from '../../shared/replace-file.ts'
import type { Api } from '../client.ts'
import { toId } from '../names.ts'

/** Request id by job id; `created` once the coordinator has said so. */
type Creations = Readonly<Record<string, { readonly requestId: string; readonly created: boolean }>>

export interface SampleDeps {
  readonly api: Pick<Api, 'call'>
  readonly clock: Clock
  readonly random: Random
  readonly recordFile: string
}

/** How many were created now. */
export async function createSamples(jobs: readonly Job[], deps: SampleDeps): Promise<number> {
  const { api, recordFile } = deps
  let creations = await readRecord(recordFile)
  const missing = jobs.filter(({ name }) => creations[toId(name)]?.created !== true)
  for (const job of missing) {
    const jobId = toId(job.name)
    const requestId = creations[jobId]?.requestId ?? newId(deps.clock, deps.random)
    creations = { ...creations, [jobId]: { requestId, created: false } }
    await replaceFile(recordFile, `${JSON.stringify(creations, null, 2)}\n`)
    await createOnce(api, { jobId, job: { ...job, name: '' }, requestId, validateOnly: false })
    creations = { ...creations, [jobId]: { requestId, created: true } }
  }
  if (missing.length > 0) await replaceFile(recordFile, `${JSON.stringify(creations, null, 2)}\n`)
  return missing.length
}

async function createOnce(
  api: Pick<Api, 'call'>,
  request: Parameters<typeof JobServiceService.createJob.requestSerialize>[0],
): Promise<void> {
  try {
    await api.call(JobServiceService.createJob, request)
  } catch (error) {
    // Somebody has made one of this name; theirs stays.
    if (!(error instanceof RotaError && error.reason === 'JOB_ALREADY_EXISTS')) throw error
  }
}

async function readRecord(file: string): Promise<Creations> {
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

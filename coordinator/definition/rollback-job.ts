/** An older version's spec becomes the newest version; the older ones stay as they are. */
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import { readJobVersionSpec } from '../query/job-queries.ts'
import { updateJob } from './define-job.ts'
import { requireJob } from './find-job.ts'
import type { JobChange } from './rehearse.ts'

export interface RollbackJob {
  readonly name: string
  readonly version: number
  readonly note: string
  readonly actor: string
  readonly validateOnly: boolean
}

/** Refused, as any change is, when the spec is not valid any more. */
export async function rollbackJob(deps: Deps, rollback: RollbackJob): Promise<JobChange> {
  const { name, version, note, ...rest } = rollback
  const { id, version: newest } = await requireJob(deps.db, name)
  const spec = await readJobVersionSpec(deps.db, id, version)
  if (spec === undefined) {
    const message = `job ${name} has no version ${version}`
    throw new RotaError('JOB_VERSION_NOT_FOUND', message, {
      hint: `It has the versions 1 to ${newest}.`,
    })
  }
  const job = Job.fromJSON({ spec })
  return updateJob(deps, {
    ...{ ...rest, name, job, recoverFrom: undefined },
    mask: ['spec'],
    note: note || `back to version ${version}`,
  })
}

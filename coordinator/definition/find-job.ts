import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { type JobRow, readJob, someJobNames } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'

/** The job of this id, or JOB_NOT_FOUND with names that are near. */
export async function requireJob(db: Db, name: string): Promise<JobRow> {
  const row = await readJob(db, name)
  if (row !== undefined) return row
  const near = nearNames(name, await someJobNames(db))
  throw new RotaError('JOB_NOT_FOUND', `there is no job ${JSON.stringify(name.slice(0, 200))}`, {
    ...(near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }),
    metadata: { near: near.join(',') },
  })
}

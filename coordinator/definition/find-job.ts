import { assert } from '../../shared/assert.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { COMPARED_MAX, nearNames } from '../../shared/near-names.ts'
import { type NamedJobRow, readJobsByName, someJobNames } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'

/** The job of this id, or JOB_NOT_FOUND with names that are near. */
export async function requireJob(db: Db, name: string): Promise<NamedJobRow> {
  const [found] = await findJobs(db, [name])
  if (found instanceof RotaError) throw found
  assert(found !== undefined, 'one name, one answer')
  return found
}

/** For each of these ids its job, or JOB_NOT_FOUND: the first of those say which names come near. */
export async function findJobs(
  db: Db,
  names: readonly string[],
): Promise<(NamedJobRow | RotaError)[]> {
  const jobs = new Map((await readJobsByName(db, names)).map((row) => [row.name, row]))
  const missing = [...new Set(names)].filter((name) => !jobs.has(name))
  const known = missing.length === 0 ? [] : await someJobNames(db)
  const errors = new Map(
    missing.map((name, index) => [name, notFound(name, index < COMPARED_MAX ? known : [])]),
  )
  return names.map((name) => jobs.get(name) ?? errors.get(name) ?? notFound(name, []))
}

function notFound(name: string, known: readonly string[]): RotaError {
  const near = nearNames(name, known)
  return new RotaError('JOB_NOT_FOUND', `there is no job ${JSON.stringify(name.slice(0, 200))}`, {
    ...(near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }),
    metadata: { near: near.join(',') },
  })
}

import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import type { Db } from '../store/database.ts'
import { readFleetNames } from './fleet-queries.ts'

/** WORKER_NOT_FOUND with the names that come near; `field` is where the name stood, blank for the name of the request. */
export async function workerNotFound(db: Db, name: string, field = ''): Promise<RotaError> {
  const near = nearNames(name, (await readFleetNames(db)).workers)
  const message = `there is no worker ${JSON.stringify(name.slice(0, 80))}`
  const hint = near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` }
  if (field === '') return new RotaError('WORKER_NOT_FOUND', message, hint)
  return new RotaError('WORKER_NOT_FOUND', `${field}: ${message}`, {
    ...hint,
    violations: [{ field, reason: 'WORKER_NOT_FOUND', message, ...hint }],
  })
}

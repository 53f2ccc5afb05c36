import { RotaError } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import type { Db } from '../store/database.ts'
import { readFleetNames } from './fleet-queries.ts'

/** WORKER_NOT_FOUND with the names that come near. */
export async function workerNotFound(db: Db, name: string): Promise<RotaError> {
  const { message, hint } = explain(name, (await readFleetNames(db)).workers)
  return new RotaError('WORKER_NOT_FOUND', message, hint)
}

/** The same for a worker that a field names; `known`: names among which it looks for near ones. */
export function workerNotFoundIn(field: string, name: string, known: Iterable<string>): RotaError {
  const { message, hint } = explain(name, known)
  return new RotaError('WORKER_NOT_FOUND', `${field}: ${message}`, {
    ...hint,
    violations: [{ field, reason: 'WORKER_NOT_FOUND', message, ...hint }],
  })
}

function explain(name: string, known: Iterable<string>) {
  const near = nearNames(name, known)
  const message = `there is no worker ${JSON.stringify(name.slice(0, 80))}`
  return { message, hint: near.length === 0 ? {} : { hint: `Did you mean ${near.join(' or ')}?` } }
}

import type { Execution } from '../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { isUuid } from '../../shared/ids.ts'
import { parseResourceName } from '../../shared/wire.ts'
import type { ExecutionId } from '../job/execution.ts'
import { readAttempts, readExecution } from '../query/execution-queries.ts'
import type { Db } from '../store/database.ts'
import { toExecution } from './to-execution.ts'

/** One execution with all its attempts, or EXECUTION_NOT_FOUND. */
export async function readWholeExecution(db: Db, id: ExecutionId): Promise<Execution> {
  const row = await readExecution(db, id)
  if (row === undefined) throw new RotaError('EXECUTION_NOT_FOUND', `there is no execution ${id}`)
  return toExecution(row, await readAttempts(db, [row], false))
}

/** The id in `executions/UUID`. */
export function executionId(name: string, field = 'name'): ExecutionId {
  const id = parseResourceName('executions', name, field)
  if (isUuid(id)) return id as ExecutionId
  const message = `${JSON.stringify(id.slice(0, 80))} is not an execution id`
  throw new RotaError('NAME_INVALID', `${field}: ${message}`, {
    hint: 'Execution ids are UUIDs in lower case; see `rota exec list`.',
    violations: [{ field, reason: 'NAME_INVALID', message }],
  })
}

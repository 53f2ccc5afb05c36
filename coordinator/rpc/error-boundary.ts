/** What leaves the coordinator when something goes wrong: known errors as they are, all else as INTERNAL with an id. */

import { RotaError } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import type { Deps } from '../deps.ts'
import { isDatabaseUnavailable } from '../store/database-errors.ts'

export interface ExplainedError {
  readonly known: RotaError
  readonly requestId: string
}

export interface ErrorBoundary {
  /** Never throws. What is not ours is logged under the request id. */
  explain(error: unknown, context: { readonly method: string }): ExplainedError
}

export function createErrorBoundary(
  deps: Pick<Deps, 'logger' | 'clock' | 'random'>,
): ErrorBoundary {
  return {
    explain(error, context) {
      const requestId = newId(deps.clock, deps.random)
      if (error instanceof RotaError) return { known: error, requestId }
      if (isDatabaseUnavailable(error)) {
        deps.logger.warn({ err: error, requestId, ...context }, 'the database is unavailable')
        const known = new RotaError('DATABASE_UNAVAILABLE', 'the database does not answer', {
          cause: error,
        })
        return { known, requestId }
      }
      deps.logger.error({ err: error, requestId, ...context }, 'an unexpected error')
      const known = new RotaError('INTERNAL', 'something went wrong inside Rota', { cause: error })
      return { known, requestId }
    },
  }
}

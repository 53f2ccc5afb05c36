/** `request_id` (AIP-155): a request that is sent again does nothing again. */
import { createHash } from 'node:crypto'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Db } from '../store/database.ts'
import { claimRequest, type RequestKey } from './request-queries.ts'

export type { RequestKey }

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/

/** Undefined when the request carries no id. */
export function requestKey(
  actor: string,
  method: string,
  request: { readonly requestId: string; readonly encoded: Uint8Array },
): RequestKey | undefined {
  const { requestId, encoded } = request
  if (requestId === '') return undefined
  if (!REQUEST_ID.test(requestId)) {
    const message = 'must be 1 to 128 visible ASCII characters, e.g. a UUID'
    throw new RotaError('FIELD_INVALID', `request_id: ${message}`, {
      violations: [{ field: 'request_id', reason: 'FIELD_INVALID', message }],
    })
  }
  return { actor, method, requestId, fingerprint: createHash('sha256').update(encoded).digest() }
}

/** What is to be done for a request. */
export interface Claim {
  readonly resource: string
  /** False: it was done when the request came before. */
  readonly isNew: boolean
}

/**
 * Claims the key for `resource`; when the request came before, answers the resource of then. Waits for a transaction
 * that is just working on the same request.
 */
export async function once(tx: Db, key: RequestKey | undefined, resource: string): Promise<Claim> {
  if (key === undefined) return { resource, isNew: true }
  const stored = await claimRequest(tx, key, resource)
  if (!stored.fingerprint.equals(key.fingerprint)) {
    throw new RotaError(
      'REQUEST_ID_REUSED',
      `request_id ${key.requestId} was used for another request`,
    )
  }
  return { resource: stored.resource, isNew: stored.is_new }
}

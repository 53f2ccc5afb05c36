import { sql } from 'kysely'
import type { Db } from '../store/database.ts'

/** What makes two requests the same. */
export interface RequestKey {
  readonly actor: string
  readonly method: string
  readonly requestId: string
  /** SHA-256 of the request: the same id with another content is a mistake of the client. */
  readonly fingerprint: Buffer
}

export interface StoredRequest {
  readonly fingerprint: Buffer
  readonly resource: string
  /** False when the request came before. */
  readonly is_new: boolean
}

/** The request has come to nothing: sent again, it is tried again. */
export async function forgetRequest(db: Db, key: RequestKey): Promise<void> {
  await sql`/* forgetRequest */
    delete from rota.request
    where actor = ${key.actor} and method = ${key.method} and request_id = ${key.requestId}`.execute(
    db,
  )
}

/** Stores the key, unless it is there: then answers what is stored. */
export async function claimRequest(
  db: Db,
  key: RequestKey,
  resource: string,
): Promise<StoredRequest> {
  const { rows } = await sql<StoredRequest>`/* claimRequest */
    insert into rota.request (actor, method, request_id, fingerprint, resource)
    values (${key.actor}, ${key.method}, ${key.requestId}, ${key.fingerprint}, ${resource})
    on conflict (actor, method, request_id) do update set resource = rota.request.resource
    returning fingerprint, resource, xmax = 0 as is_new`.execute(db)
  const [stored] = rows
  if (stored === undefined) throw new Error('an upsert without a row')
  return stored
}

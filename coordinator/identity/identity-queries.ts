import { sql } from 'kysely'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'

/** Makes sure that this token is known. */
export async function ensureApiToken(
  db: Db,
  token: { readonly id: string; readonly name: string; readonly secretHash: Buffer },
): Promise<void> {
  await db
    .insertInto('rota.api_token')
    .values({ id: token.id, name: token.name, secret_hash: token.secretHash, role: 'admin' })
    .onConflict((conflict) => conflict.column('secret_hash').doNothing())
    .execute()
}

/** The token of this hash, if it may be used. */
export async function findApiToken(
  db: Db,
  secretHash: Buffer,
): Promise<{ name: string; role: 'admin' } | undefined> {
  const { rows } = await sql<{ name: string; role: 'admin' }>`/* findApiToken */
    select name, role from rota.api_token
    where secret_hash = ${secretHash} and revoked_at is null
      and (expires_at is null or expires_at > clock_timestamp())`.execute(db)
  return rows[0]
}

export interface NewJoinToken {
  readonly id: string
  readonly secretHash: Buffer
  readonly worker: string
  readonly labels: Readonly<Record<string, string>>
  readonly uses: number
  readonly createdBy: string
  readonly ttlMs: number
}

/** Stores a join token; answers when it expires. */
export async function insertJoinToken(db: Db, token: NewJoinToken): Promise<Date> {
  const { expires_at } = await db
    .insertInto('rota.join_token')
    .values({
      id: token.id,
      secret_hash: token.secretHash,
      worker: token.worker,
      labels: JSON.stringify(token.labels),
      uses_left: token.uses,
      created_by: token.createdBy,
      expires_at: sql<Date>`clock_timestamp() + ${token.ttlMs} * interval '1 millisecond'`,
    })
    .returning('expires_at')
    .executeTakeFirstOrThrow()
  return expires_at
}

export interface UsedJoinToken {
  readonly worker: string
  readonly labels: Record<string, string>
}

/** Uses a join token once; undefined when it is unknown, expired or used up. The rollback of a failed join gives it back. */
export async function useJoinToken(
  db: Db,
  id: string,
  secretHash: Buffer,
): Promise<UsedJoinToken | undefined> {
  const { rows } = await sql<UsedJoinToken>`/* useJoinToken */
    update rota.join_token set uses_left = uses_left - 1
    where id = ${id} and secret_hash = ${secretHash} and uses_left > 0 and expires_at > clock_timestamp()
    returning worker, labels`.execute(db)
  return rows[0]
}

/** Creates a worker; undefined when the name is taken. */
export async function insertWorker(
  db: Db,
  worker: { readonly uid: string; readonly name: string; readonly labels: Record<string, string> },
): Promise<WorkerId | undefined> {
  const row = await db
    .insertInto('rota.worker')
    .values({
      uid: worker.uid,
      name: worker.name,
      agent_labels: '{}',
      granted_labels: JSON.stringify(worker.labels),
    })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returning('id')
    .executeTakeFirst()
  return row?.id
}

/** Gives a worker that joins again the labels of its new token, and revokes the certificates it had. */
export async function readmitWorker(
  db: Db,
  name: string,
  labels: Record<string, string>,
): Promise<WorkerId | undefined> {
  const worker = await db
    .updateTable('rota.worker')
    .set({ granted_labels: JSON.stringify(labels) })
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (worker === undefined) return undefined
  await db
    .updateTable('rota.worker_certificate')
    .set({ revoked_at: sql<Date>`clock_timestamp()` })
    .where('worker_id', '=', worker.id)
    .where('revoked_at', 'is', null)
    .execute()
  return worker.id
}

export async function insertCertificate(
  db: Db,
  certificate: {
    readonly fingerprint: string
    readonly workerId: WorkerId
    readonly expiresAt: Date
  },
): Promise<void> {
  await db
    .insertInto('rota.worker_certificate')
    .values({
      fingerprint: certificate.fingerprint,
      worker_id: certificate.workerId,
      expires_at: certificate.expiresAt,
    })
    .execute()
}

export interface CertifiedWorker {
  readonly worker_id: WorkerId
  readonly name: string
  readonly expires_at: Date
  /** Above 0: refused for so much longer. */
  readonly quarantined_ms: number | null
  /** Why. */
  readonly evidence: string
}

/** The worker that a certificate belongs to, unless it is revoked or has expired. */
export async function findCertifiedWorker(
  db: Db,
  fingerprint: string,
): Promise<CertifiedWorker | undefined> {
  const { rows } = await sql<CertifiedWorker>`/* findCertifiedWorker */
    select c.worker_id, w.name, c.expires_at,
      extract(epoch from q.until - clock_timestamp())::float8 * 1000 as quarantined_ms,
      coalesce(q.evidence, '') as evidence
    from rota.worker_certificate c join rota.worker w on w.id = c.worker_id
      left join rota.quarantine q on q.worker_id = w.id
    where c.fingerprint = ${fingerprint} and c.revoked_at is null and c.expires_at > clock_timestamp()`.execute(
    db,
  )
  return rows[0]
}

/** Of these certificates the ones that are revoked, or not known any more. */
export async function findRevoked(db: Db, fingerprints: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ fingerprint: string }>`/* findRevoked */
    select f.fingerprint from unnest(${fingerprints}::text[]) as f (fingerprint)
    where not exists (
      select from rota.worker_certificate c where c.fingerprint = f.fingerprint and c.revoked_at is null)`.execute(
    db,
  )
  return rows.map(({ fingerprint }) => fingerprint)
}

/** Who calls. */
import { createHash } from 'node:crypto'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { WorkerId } from '../job/execution.ts'
import type { Database } from '../store/database.ts'
import { findApiToken, findCertifiedWorker } from './identity-queries.ts'

export type Principal =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'token'; readonly name: string; readonly role: 'admin' }
  | {
      readonly kind: 'agent'
      readonly workerId: WorkerId
      readonly workerName: string
      /** Of its certificate. */
      readonly fingerprint: string
      readonly expiresAt: Date
    }

/** What a call brings along. */
export interface Credentials {
  /** The `authorization` header. */
  readonly authorization: string | undefined
  /** SHA-256 of the client certificate, hex; present only when our CA signed it. */
  readonly fingerprint: string | undefined
}

export interface Authenticator {
  /** Throws TOKEN_INVALID, CERTIFICATE_INVALID or WORKER_QUARANTINED; without any credentials the caller is anonymous. */
  authenticate(credentials: Credentials): Promise<Principal>
  /** True when these credentials were good not long ago: their lookup is worth the database. */
  isKnown(credentials: Credentials): boolean
}

/** A token that was found good is not looked up again for this long, in ms: the longest that a revoked one still works. */
const REMEMBER_MS = 1_000
const REMEMBERED_MAX = 1_000
const KNOWN_MAX = 10_000
const BEARER = /^Bearer (\S{1,512})$/i

export function createAuthenticator(deps: {
  readonly db: Database
  readonly clock: Clock
}): Authenticator {
  const remembered = new Map<string, { readonly principal: Principal; readonly untilMs: number }>()
  /** Keys of credentials that were good, in the order of their last use. */
  const known = new Set<string>()

  const byToken = async (authorization: string): Promise<Principal> => {
    const secret = BEARER.exec(authorization)?.[1]
    if (secret === undefined)
      throw new RotaError('TOKEN_INVALID', 'authorization is not `Bearer TOKEN`')
    const hash = hashSecret(secret)
    const key = hash.toString('hex')
    const known = remembered.get(key)
    if (known !== undefined && known.untilMs > deps.clock.monotonicMs()) return known.principal
    const token = await findApiToken(deps.db, hash)
    if (token === undefined)
      throw new RotaError('TOKEN_INVALID', 'the token is unknown, expired or revoked')
    const principal = { kind: 'token' as const, ...token }
    if (remembered.size >= REMEMBERED_MAX) remembered.clear()
    remembered.set(key, { principal, untilMs: deps.clock.monotonicMs() + REMEMBER_MS })
    return principal
  }

  const lookUp = async ({ authorization, fingerprint }: Credentials): Promise<Principal> => {
    if (authorization !== undefined) return byToken(authorization)
    if (fingerprint !== undefined) return byCertificate(deps.db, fingerprint)
    return { kind: 'anonymous' }
  }

  return {
    isKnown: (credentials) => known.has(keyOf(credentials)),
    async authenticate(credentials) {
      const principal = await lookUp(credentials)
      if (principal.kind === 'anonymous') return principal
      const key = keyOf(credentials)
      known.delete(key)
      known.add(key)
      const [oldest] = known
      if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest)
      return principal
    },
  }
}

async function byCertificate(db: Database, fingerprint: string): Promise<Principal> {
  const worker = await findCertifiedWorker(db, fingerprint)
  if (worker === undefined) {
    throw new RotaError(
      'CERTIFICATE_INVALID',
      'the certificate is expired, revoked or of no known worker',
    )
  }
  const { evidence, quarantined_ms: quarantinedMs } = worker
  if (quarantinedMs !== null && quarantinedMs > 0) {
    const retryAfterMs = Math.ceil(quarantinedMs)
    throw new RotaError('WORKER_QUARANTINED', evidence, { retryAfterMs })
  }
  return {
    kind: 'agent',
    workerId: worker.worker_id,
    workerName: worker.name,
    fingerprint,
    expiresAt: worker.expires_at,
  }
}

/** Never the secret itself. */
function keyOf({ authorization, fingerprint = '' }: Credentials): string {
  return authorization === undefined ? fingerprint : hashSecret(authorization).toString('hex')
}

/** Secrets of 256 bits need no slow hash. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** How a principal is named in records. */
export function principalName(principal: Principal): string {
  switch (principal.kind) {
    case 'anonymous':
      return 'anonymous'
    case 'token':
      return `token:${principal.name}`
    case 'agent':
      return `worker:${principal.workerName}`
  }
}

/**
 * What a new agent is given: `rota-join-<id>.<secret>.<digest>`. The digest is the SHA-256 of the CA certificate (DER),
 * so that the agent knows the coordinator before it says anything secret to it.
 */
export interface JoinToken {
  /** Public part, 16 hex digits; finds the row. */
  readonly id: string
  /** 256 bits, base64url. The coordinator keeps only its SHA-256. */
  readonly secret: string
  /** SHA-256 of the CA certificate, 64 hex digits. */
  readonly caDigest: string
}

const TOKEN = /^rota-join-([0-9a-f]{16})\.([A-Za-z0-9_-]{43})\.([0-9a-f]{64})$/

export function formatJoinToken(token: JoinToken): string {
  return `rota-join-${token.id}.${token.secret}.${token.caDigest}`
}

/** Undefined when `text` is no join token. */
export function parseJoinToken(text: string): JoinToken | undefined {
  const [, id, secret, caDigest] = TOKEN.exec(text.trim()) ?? []
  if (id === undefined || secret === undefined || caDigest === undefined) return undefined
  return { id, secret, caDigest }
}

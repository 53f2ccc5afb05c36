/**
 * The secret that all coordinators of one database share, and that the database does not hold: it seals the private key
 * of the certificate authority (AES-256-GCM, NIST SP 800-38D).
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import type { Random } from '../../shared/random.ts'

export const CLUSTER_KEY_BYTES = 32

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** First byte of what is sealed. */
const FORMAT = 1
/** Keeps keys for different uses apart (RFC 5869). */
const USE = 'rota authority key'

/** 32 bytes as 64 hex digits, base64 or base64url; undefined for anything else. */
export function parseClusterKey(text: string): Buffer | undefined {
  const trimmed = text.trim()
  if (/^[0-9A-Fa-f]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex')
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return undefined
  const key = Buffer.from(trimmed, 'base64')
  return key.length === CLUSTER_KEY_BYTES ? key : undefined
}

/** Seals `secret`; it can be opened only with the same key and the same `context`. */
export function seal(
  key: Buffer,
  sealing: { readonly secret: Buffer; readonly context: Buffer; readonly random: Random },
): Buffer {
  const nonce = sealing.random.bytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, sealingKey(key), nonce).setAAD(sealing.context)
  const sealed = Buffer.concat([cipher.update(sealing.secret), cipher.final()])
  return Buffer.concat([Buffer.of(FORMAT), nonce, sealed, cipher.getAuthTag()])
}

/** Undefined when the key is another one, or what was sealed has been changed. */
export function unseal(key: Buffer, sealed: Buffer, context: Buffer): Buffer | undefined {
  if (sealed.length < 1 + NONCE_BYTES + TAG_BYTES || sealed[0] !== FORMAT) return undefined
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES)
  const decipher = createDecipheriv(CIPHER, sealingKey(key), nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(context).setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const body = sealed.subarray(1 + NONCE_BYTES, -TAG_BYTES)
    return Buffer.concat([decipher.update(body), decipher.final()])
  } catch {
    return undefined
  }
}

function sealingKey(key: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.of(), USE, CLUSTER_KEY_BYTES))
}

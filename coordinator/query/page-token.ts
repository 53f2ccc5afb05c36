/** Page tokens: where a page ended, tied to the request that it belongs to. Opaque, not secret. */
import { createHash } from 'node:crypto'

type Key = string | number

/** Longest token that is looked at, in characters. */
const LENGTH_MAX = 8_192

/** `keys` are the sort keys of the last row, `args` everything else that must not change between pages. */
export function encodePageToken(keys: readonly Key[], args: object): string {
  return Buffer.from(JSON.stringify({ k: keys, h: hash(keys, args) })).toString('base64url')
}

/** The keys; undefined when the token is damaged or was made for other arguments. */
export function decodePageToken(token: string, args: object): readonly Key[] | undefined {
  if (token.length > LENGTH_MAX || !/^[\w-]+$/.test(token)) return undefined
  const content = parseJson(Buffer.from(token, 'base64url').toString('utf8'))
  if (typeof content !== 'object' || content === null) return undefined
  const keys: unknown = Reflect.get(content, 'k')
  return isKeys(keys) && Reflect.get(content, 'h') === hash(keys, args) ? keys : undefined
}

function hash(keys: readonly Key[], args: object): string {
  const text = JSON.stringify([keys, canonical(args)])
  return createHash('sha256').update(text).digest('base64url').slice(0, 16)
}

/** The same value for the same arguments, in whatever order their fields were set. */
function canonical(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) }
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return { date: value.getTime() }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(canonical)
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => [key, canonical(item)])
}

function isKeys(value: unknown): value is Key[] {
  return Array.isArray(value) && value.every((key) => ['string', 'number'].includes(typeof key))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

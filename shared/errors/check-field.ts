/** Checks that every part of a definition shares: what is wrong with one field, said in one way. */
import type { Duration } from '../../proto/gen/google/protobuf/duration.ts'
import type { ErrorReason } from './catalogue.ts'
import type { FieldViolation } from './rota-error.ts'

interface Wrong {
  readonly reason?: ErrorReason
  readonly message: string
  readonly hint?: string | undefined
}

/** One violation; FIELD_INVALID unless another reason is given. */
export function violation(field: string, { reason, message, hint }: Wrong): FieldViolation {
  return {
    field,
    reason: reason ?? 'FIELD_INVALID',
    message,
    ...(hint === undefined ? {} : { hint }),
  }
}

/** None when `isRight`, else the violation. */
export function refuseUnless(isRight: boolean, field: string, wrong: Wrong): FieldViolation[] {
  return isRight ? [] : [violation(field, wrong)]
}

/** `field` is set although this release does not have `feature`. */
export function refuseFeature(isSet: boolean, field: string, feature: string): FieldViolation[] {
  const message = `${feature} is not part of this release`
  return refuseUnless(!isSet, field, { reason: 'FEATURE_UNAVAILABLE', message })
}

/** A text of at most `maxBytes` bytes of UTF-8. */
export function checkLength(field: string, text: string, maxBytes: number): FieldViolation[] {
  return refuseUnless(Buffer.byteLength(text) <= maxBytes, field, {
    reason: 'FIELD_TOO_LONG',
    message: `is longer than ${showBytes(maxBytes)}`,
  })
}

/** As checkLength, and something other than blanks. */
export function checkContent(field: string, text: string, maxBytes: number): FieldViolation[] {
  if (text.trim() !== '') return checkLength(field, text, maxBytes)
  return [violation(field, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
}

export function checkCount(
  field: string,
  items: { readonly length: number },
  max: number,
): FieldViolation[] {
  return refuseUnless(items.length <= max, field, {
    reason: 'FIELD_TOO_LONG',
    message: `has ${items.length} entries, more than ${max}`,
  })
}

/** A number of an enum that this release knows. Unknown numbers arrive as they are. */
export function checkEnum(
  field: string,
  value: number,
  type: Readonly<Record<string, number>>,
): FieldViolation[] {
  const words = Object.keys(type).filter((word) => word !== 'UNRECOGNIZED')
  return refuseUnless(
    words.some((word) => type[word] === value),
    field,
    {
      message: `${value} is not a value of this release`,
      hint: `Use ${words.filter((word) => word !== 'UNSPECIFIED').join(', ')}.`,
    },
  )
}

export interface IntegerRange {
  readonly min: number
  readonly max: number
}

export function checkInteger(field: string, value: number, range: IntegerRange): FieldViolation[] {
  const isRight = Number.isInteger(value) && value >= range.min && value <= range.max
  const message = `${value} is not a whole number from ${range.min} to ${range.max}`
  return refuseUnless(isRight, field, { message })
}

/** No duration of a definition is longer, in ms: 365 days. */
const DURATION_MS_MAX = 365 * 86_400_000

/** A well-formed duration of whole milliseconds from `minMs` to 365 d; not given is right. */
export function checkDuration(
  field: string,
  duration: Duration | undefined,
  minMs: number,
): FieldViolation[] {
  if (duration === undefined) return []
  const { seconds, nanos } = duration
  const isMixed = (seconds > 0n && nanos < 0) || (seconds < 0n && nanos > 0)
  if (isMixed || Math.abs(nanos) >= 1_000_000_000) {
    return [violation(field, { message: 'is not a well-formed duration' })]
  }
  const durationMs = Number(seconds) * 1_000 + nanos / 1_000_000
  if (durationMs < minMs || durationMs > DURATION_MS_MAX) {
    const message = `${durationMs / 1_000}s is not from ${minMs / 1_000}s to 365 d`
    return [violation(field, { message })]
  }
  return refuseUnless(nanos % 1_000_000 === 0, field, { message: 'is finer than a millisecond' })
}

/** What a protobuf Timestamp may hold, in ms: the years 1 to 9999. */
const TIME_MS_MIN = Date.parse('0001-01-01T00:00:00Z')
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** A time that a protobuf Timestamp may hold; not given is right. */
export function checkTime(field: string, time: Date | undefined): FieldViolation[] {
  if (time === undefined) return []
  const isRight = time.getTime() >= TIME_MS_MIN && time.getTime() <= TIME_MS_MAX
  return refuseUnless(isRight, field, { message: 'is not in the years 1 to 9999' })
}

/** The path of an entry of a map: `labels["team"]`. */
export function entryPath(path: string, key: string): string {
  return `${path}[${JSON.stringify(key.slice(0, 100))}]`
}

/** Paths of the entries that stand in the list before them. */
export function checkRepeats(field: string, items: readonly string[]): FieldViolation[] {
  return items.flatMap((item, index) =>
    refuseUnless(items.indexOf(item) === index, `${field}[${index}]`, {
      message: `${show(item)} is in the list already`,
    }),
  )
}

/** A piece of input, short and safe to print. */
export function show(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)
}

/** A hint of near names; undefined when there are none. */
export function didYouMean(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : `Did you mean ${names.join(', ')}?`
}

function showBytes(bytes: number): string {
  return bytes >= 1_024 ? `${bytes / 1_024} KiB` : `${bytes} bytes`
}

/** Readers of what people write after an option. What cannot be read is a usage error that names the option. */
import type { Duration } from '../proto/gen/google/protobuf/duration.ts'
import { durationFromMs, parseDurationMs } from '../shared/duration.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { nearNames } from '../shared/near-names.ts'
import { parseRfc3339 } from '../shared/rfc-3339.ts'

/** The way to say that a setting of a job is to be removed. */
export const NONE = 'none'

export function usageError(option: string, message: string, hint: string): RotaError {
  return new RotaError('FIELD_INVALID', `${option}: ${message}`, {
    hint,
    violations: [{ field: option, reason: 'FIELD_INVALID', message, hint }],
  })
}

/** `90s`, `1h30m` in ms. */
export function readDuration(option: string, text: string): number {
  const durationMs = parseDurationMs(text)
  if (durationMs !== undefined) return durationMs
  throw usageError(
    option,
    `${JSON.stringify(text)} is not a duration`,
    'Write a number with its unit, e.g. 250ms, 90s, 1h30m, 2d.',
  )
}

/** As readDuration; the word none removes it. */
export function readSpan(option: string, text: string): Duration | undefined {
  return text === NONE ? undefined : durationFromMs(readDuration(option, text))
}

export function readInteger(
  option: string,
  text: string,
  range: { readonly min: number; readonly max: number },
): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= range.min && value <= range.max) return value
  throw usageError(
    option,
    `${JSON.stringify(text)} is not allowed`,
    `Give a whole number from ${range.min} to ${range.max}.`,
  )
}

/** A moment: RFC 3339 with its offset, or `in 5m`, or just `5m`. */
export function readTime(option: string, text: string, now: Date): Date {
  const time = parseRfc3339(text)
  if (time !== undefined) return time
  const durationMs = parseDurationMs(text.trim().replace(/^in\s+/i, ''))
  if (durationMs !== undefined) return new Date(now.getTime() + durationMs)
  throw usageError(
    option,
    `${JSON.stringify(text)} is not a time`,
    'Write it like 2026-11-30T22:15:00Z, 2026-11-30T22:15:00+01:00, or "in 5m".',
  )
}

/** RFC 3339, `24h ago`, or `now`. */
export function readPastTime(option: string, text: string, now: Date): Date {
  const trimmed = text.trim()
  if (trimmed.toLowerCase() === 'now') return now
  const agoMs = parseDurationMs(trimmed.replace(/\s+ago$/i, ''))
  if (agoMs !== undefined) return new Date(now.getTime() - agoMs)
  const time = parseRfc3339(trimmed)
  if (time !== undefined) return time
  throw usageError(
    option,
    `${JSON.stringify(text)} is not a time`,
    'Write it like 2026-11-30T22:15:00Z, 2026-11-30T22:15:00+01:00, "24h ago" or now.',
  )
}

/** `KEY=VALUE` options as a record; the last of equal keys counts. */
export function readPairs(option: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
      throw usageError(option, `${JSON.stringify(text)} has no value`, 'Write it as KEY=VALUE.')
    }),
  )
}

/** One of `words`; upper case and hyphens for underscores are accepted. */
export function readWord<W extends string>(option: string, text: string, words: readonly W[]): W {
  const wanted = text.toLowerCase().replaceAll('-', '_')
  const found = words.find((word) => word === wanted)
  if (found !== undefined) return found
  const flags = words.map((word) => word.replaceAll('_', '-'))
  const near = nearNames(wanted.replaceAll('_', '-'), flags)
  const guess = near.length === 0 ? '' : `Did you mean ${near.join(' or ')}? `
  const hint = `${guess}Known are ${flags.join(', ')}.`
  throw usageError(option, `${JSON.stringify(text)} is not known`, hint)
}

/** The values of a repeatable option; the word none alone means no values at all. */
export function withoutNone(texts: readonly string[]): string[] {
  return texts.length === 1 && texts[0] === NONE ? [] : [...texts]
}

/** An etag holds its quotes (RFC 9110 8.8.3), which shells eat. */
export function readEtag(text: string): string {
  return text.startsWith('"') ? text : `"${text}"`
}

/** For options that may be given again and again. */
export function repeatable(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value]
}

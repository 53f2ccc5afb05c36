import { parseDurationMs } from '../../../shared/duration.ts'

type Payload = Readonly<Record<string, unknown>>

/** A number of the payload; throws when it is something else or out of range. */
export function numberOf(payload: Payload, name: string, range: readonly [number, number]): number {
  const value = payload[name]
  if (typeof value === 'number' && value >= range[0] && value <= range[1]) return value
  throw new TypeError(`payload.${name} is not a number from ${range[0]} to ${range[1]}`)
}

/** A text of the payload, or `fallback` when there is none; throws when it is something else. */
export function textOf(payload: Payload, name: string, fallback: string): string {
  const value = payload[name] ?? fallback
  if (typeof value === 'string') return value
  throw new TypeError(`payload.${name} is not a text`)
}

/** `durationMs: 1500` or `duration: "1.5s"`; throws when there is neither. */
export function durationMsOf(payload: Payload): number {
  const value = payload['durationMs'] ?? parseDurationMs(textOf(payload, 'duration', ''))
  if (typeof value === 'number' && value >= 0) return value
  throw new TypeError('payload has neither durationMs (a number) nor duration (such as "1.5s")')
}

/** Enum values as the words that people read and write, and the colour of each. */
import { wordFromEnum } from '../shared/wire.ts'
import type { Paint, Screen } from './output/screen.ts'

type LiteralEnum = Readonly<Record<string, number>>

/** `timed_out`; empty for UNSPECIFIED, `unknown` for a value that a newer coordinator sent. */
export function word<E extends LiteralEnum>(type: E, value: number): string {
  return value === 0 ? '' : (wordFromEnum(type, value) ?? 'unknown')
}

/** Every word of an enum, to choose from. */
export function wordsOf(type: LiteralEnum): string[] {
  return Object.keys(type)
    .filter((key) => key !== 'UNSPECIFIED' && key !== 'UNRECOGNIZED')
    .map((key) => key.toLowerCase())
}

const COLOURS: Readonly<Record<string, Paint>> = {
  // Executions and attempts.
  succeeded: 'green',
  running: 'cyan',
  backoff: 'yellow',
  cancelled: 'yellow',
  failed: 'red',
  uncertain: 'red',
  timed_out: 'red',
  lost: 'red',
  start_failed: 'red',
  // Jobs.
  paused: 'yellow',
  completed: 'dim',
  deleted: 'dim',
  // Freezes.
  pending: 'dim',
  ending: 'yellow',
  ended: 'dim',
  // Workers and components.
  healthy: 'green',
  warning: 'yellow',
  degraded: 'yellow',
  cordoned: 'yellow',
  draining: 'yellow',
  drained: 'yellow',
  unresponsive: 'red',
  offline: 'red',
  unhealthy: 'red',
}

/** Colours `text`, e.g. a padded cell, by the state it tells of. */
export function paintState(screen: Screen, state: string, text = state): string {
  const colour = COLOURS[state]
  return colour === undefined ? text : screen.paint(colour, text)
}

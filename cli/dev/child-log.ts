/** The log file of a child: it writes there itself, so that nothing of it passes through the supervisor. */
import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs'

const LOG_BYTES_MAX = 10 * 1024 * 1024
const TAIL_BYTES = 16 * 1024

/** For a child's stderr; it appends, so trimming needs no word with it. */
export function openLog(file: string): number {
  return openSync(file, 'a', 0o600)
}

/** Begins the file anew. */
export function emptyLog(file: string): void {
  closeSync(openSync(file, 'w', 0o600))
}

/** Begins the file anew once it is too large. */
export function trimLog(file: string): void {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) truncateSync(file)
}

/** The last lines for a person, oldest first; empty when there are none. */
export function lastLines(file: string, count: number): string[] {
  return readTail(file)
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .slice(-count)
    .map(describeLine)
}

/** `warn: it failed: connect ECONNREFUSED` of a line of JSON; other lines as they are. */
export function describeLine(line: string): string {
  const entry = readEntry(line)
  if (typeof entry?.msg !== 'string') return line
  const why = typeof entry.err?.message === 'string' ? `: ${entry.err.message}` : ''
  return `${LEVELS[entry.level ?? 0] ?? 'info'}: ${entry.msg}${why}`
}

interface Entry {
  readonly level?: number
  readonly msg?: unknown
  readonly err?: { readonly message?: unknown }
}

function readEntry(line: string): Entry | undefined {
  try {
    return Object(JSON.parse(line))
  } catch {
    return undefined
  }
}

const LEVELS: Readonly<Record<number, string>> = { 40: 'warn', 50: 'error', 60: 'fatal' }

function readTail(file: string): string {
  try {
    const descriptor = openSync(file, 'r')
    try {
      const { size } = fstatSync(descriptor)
      const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES))
      const length = readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString('utf8', 0, length)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return ''
  }
}

/** One line of `rota schedule preview --stdin` and its answer. */

import { CATALOGUE } from '../../../shared/errors/catalogue.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { parseRfc3339 } from '../../../shared/rfc-3339.ts'
import {
  type Preview,
  type PreviewRequest,
  previewSchedule,
} from '../../../shared/schedule/preview.ts'
import { readInteger, readWord } from '../../option-values.ts'

export interface LineProblem {
  readonly error: { readonly reason: string; readonly message: string; readonly hint: string }
}

export const COUNT_MAX = 10_000

/** Never throws: what is wrong with a line is its answer. `base` has what the line leaves out. */
export function answerLine(line: string, base: PreviewRequest): Preview | LineProblem {
  try {
    const answer = previewSchedule(readLine(line, base))
    if (answer.kind === 'preview') return withUnread(answer.preview, unreadFields(line))
    const { reason, message, hint, field } = answer.violation
    return {
      error: { reason, message: `${field}: ${message}`, hint: hint ?? CATALOGUE[reason].hint },
    }
  } catch (error) {
    // A mistake of ours has its line too: thousands of others wait for theirs.
    const known = error instanceof RotaError ? error : new RotaError('INTERNAL', String(error))
    const { reason, message, hint } = known
    return { error: { reason, message, hint } }
  }
}

const FIELDS = ['expr', 'tz', 'from', 'count', 'gap', 'fold']

/** A zone that is misspelt `zone` would be UTC, and nobody would know. */
function withUnread(preview: Preview, unread: readonly string[]): Preview {
  if (unread.length === 0) return preview
  const known = FIELDS.join(', ')
  const told = unread.map((field) => `${JSON.stringify(field)} is passed over: known are ${known}.`)
  return { ...preview, warnings: [...preview.warnings, ...told] }
}

function unreadFields(line: string): string[] {
  return Object.keys(parseObject(line)).filter((field) => !FIELDS.includes(field))
}

function readLine(line: string, base: PreviewRequest): PreviewRequest {
  const json = parseObject(line)
  const text = (field: string) => {
    const value = json[field]
    if (value === undefined || value === null || typeof value === 'string')
      return value ?? undefined
    throw wrong(field, 'is not a text')
  }
  const { count } = json
  const [gap, fold] = [text('gap'), text('fold')]
  return {
    expr: text('expr') ?? '',
    timeZone: text('tz') ?? base.timeZone,
    from: readFrom(text('from')) ?? base.from,
    count:
      count === undefined || count === null
        ? base.count
        : readInteger('count', String(count), { min: 1, max: COUNT_MAX }),
    dst: {
      gap: gap === undefined ? base.dst.gap : readWord('gap', gap, ['run_after', 'skip', 'shift']),
      fold: fold === undefined ? base.dst.fold : readWord('fold', fold, ['first', 'last', 'both']),
    },
  }
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    throw wrong('line', 'is not JSON')
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return { ...json }
  throw wrong('line', 'is not a JSON object')
}

function readFrom(text: string | undefined): Date | undefined {
  if (text === undefined) return undefined
  const time = parseRfc3339(text)
  if (time === undefined) throw wrong('from', `${JSON.stringify(text)} is not RFC 3339`)
  return time
}

function wrong(field: string, message: string): RotaError {
  return new RotaError('MESSAGE_MALFORMED', `${field}: ${message}`, {
    hint: 'A line is like {"expr":"0 2 * * *","tz":"Europe/Paris","from":"2026-11-20T00:00:00Z","count":3}.',
  })
}

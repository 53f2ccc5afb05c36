/** `rota schedule preview`: one expression, or one per line of stdin. */
import { invalidRequest } from '../../../shared/errors/rota-error.ts'
import { parseRfc3339 } from '../../../shared/rfc-3339.ts'
import type { Preview, PreviewRequest } from '../../../shared/schedule/preview.ts'
import { previewSchedule } from '../../../shared/schedule/preview.ts'
import type { Handler, Invocation } from '../../action.ts'
import { writeAll } from '../../host.ts'
import { readInteger, readWord, usageError } from '../../option-values.ts'
import { presentJson } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { answerLine, COUNT_MAX } from './preview-line.ts'

interface PreviewOptions {
  readonly tz?: string
  readonly from?: string
  readonly count?: string
  readonly dstGap?: string
  readonly dstFold?: string
  readonly stdin?: true
}

const COUNT = 10

export const previewCommand: Handler<PreviewOptions, readonly [string?]> = async (
  invocation,
  options,
  expr,
) => {
  const request = readOptions(invocation, options)
  if (options.stdin === true) {
    if (expr !== undefined) {
      throw usageError('--stdin', 'an expression is given too', 'Give one of them.')
    }
    await answerLines(invocation, request)
    return undefined
  }
  if (expr === undefined) {
    throw usageError('expr', 'is missing', 'Write rota schedule preview "0 2 * * *".')
  }
  const answer = previewSchedule({ ...request, expr })
  if (answer.kind === 'refused') throw invalidRequest([answer.violation])
  await show(invocation, answer.preview)
  return undefined
}

function readOptions({ host }: Invocation, options: PreviewOptions): PreviewRequest {
  const { tz = '', from, count, dstGap = 'run_after', dstFold = 'first' } = options
  return {
    expr: '',
    timeZone: tz,
    from: from === undefined ? host.clock.now() : readFrom(from),
    count: count === undefined ? COUNT : readInteger('--count', count, { min: 1, max: COUNT_MAX }),
    dst: {
      gap: readWord('--dst-gap', dstGap, ['run_after', 'skip', 'shift']),
      fold: readWord('--dst-fold', dstFold, ['first', 'last', 'both']),
    },
  }
}

/** Only RFC 3339: a preview of a moment must be the same tomorrow. */
function readFrom(text: string): Date {
  const time = parseRfc3339(text)
  if (time !== undefined) return time
  throw usageError(
    '--from',
    `${JSON.stringify(text)} is not a time`,
    'Write it like 2026-11-30T22:15:00Z.',
  )
}

async function show(invocation: Invocation, preview: Preview): Promise<void> {
  const { host, options } = invocation
  const { description, compiled, warnings, times } = preview
  switch (options.output) {
    case 'table':
    case 'wide': {
      const lines = [
        escapeControls(description),
        `rule: ${escapeControls(compiled)}`,
        ...warnings.map((warning) => `warning: ${escapeControls(warning)}`),
        '',
        ...times.map(({ instant, local }) => `${instant}  ${local}`),
      ]
      return writeAll(host.stdout, `${lines.join('\n')}\n`)
    }
    case 'name':
      return writeAll(host.stdout, times.map(({ instant }) => `${instant}\n`).join(''))
    default:
      return presentJson(invocation, {
        description,
        compiled,
        warnings: [...warnings],
        times: times.map((time) => ({ ...time })),
      })
  }
}

/** Answers each line as it comes; the memory is that of one line. */
async function answerLines({ host }: Invocation, request: PreviewRequest): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  const answer = async (text: string) => {
    const lines = text.split('\n').filter((line) => line.trim() !== '')
    const answers = lines.map((line) => `${JSON.stringify(answerLine(line, request))}\n`)
    await writeAll(host.stdout, answers.join(''))
  }
  for await (const chunk of host.stdin) {
    const text = rest + decoder.decode(chunk, { stream: true })
    const end = text.lastIndexOf('\n') + 1
    rest = text.slice(end)
    await answer(text.slice(0, end))
  }
  await answer(rest + decoder.decode())
}

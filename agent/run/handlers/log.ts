import type { Handler } from './handler.ts'
import { numberOf, textOf } from './payload.ts'

const LINES_MAX = 1_000_000
const DAY_MS = 86_400_000

/**
 * Writes lines. Payload: `lines` (1 to 1,000,000; default 1), `intervalMs` between them (default 0), `message` (a text;
 * default "line"), which each line begins with.
 */
export const log: Handler = async (context) => {
  const { payload, signal } = context
  const lines = payload['lines'] === undefined ? 1 : numberOf(payload, 'lines', [1, LINES_MAX])
  const intervalMs =
    payload['intervalMs'] === undefined ? 0 : numberOf(payload, 'intervalMs', [0, DAY_MS])
  const message = textOf(payload, 'message', 'line')
  for (let line = 1; line <= lines && !signal.aborted; line++) {
    context.log(`${message} ${line}\n`)
    context.progress(line / lines)
    // Also without an interval: everybody else gets a turn now and then.
    if (intervalMs > 0 || line % 1_000 === 0) await context.sleep(intervalMs)
  }
  return { lines }
}

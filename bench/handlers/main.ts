/** The handlers of the agents under measurement: they do nothing, and count it. */
import { appendFileSync } from 'node:fs'
import type { Handler } from '../../agent/run/handlers/handler.ts'
import { hostMs } from '../measure/host-time.ts'

const FLUSH_MS = 200

const file = process.env['BENCH_RUNS'] ?? '/dev/null'
let lines = ''

function flush(): void {
  const text = lines
  lines = ''
  appendFileSync(file, text)
}

/** Notes the parameter `number` and when it ran; a line of its file each, written a little later in one go. */
const count: Handler = async ({ parameters }) => {
  if (lines === '') setTimeout(flush, FLUSH_MS)
  lines += `${String(parameters['number'])} ${hostMs()}\n`
  return undefined
}

export const handlers = { 'bench-count': count }

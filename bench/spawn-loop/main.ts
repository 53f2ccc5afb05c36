/**
 * The least that running a command costs: a loop that spawns `sh -c true` and reads its outputs to their end.
 * Arguments: how many, and how many at a time. Says how many per second as JSON.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

const [count = 100, lanes = 1] = process.argv.slice(2).map(Number)
let left = count
let failed = 0

async function lane(): Promise<void> {
  while (left > 0) {
    left -= 1
    const child = spawn('/bin/sh', ['-c', 'true'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.resume()
    child.stderr.resume()
    const [code] = await once(child, 'close')
    if (code !== 0) failed += 1
  }
}

const beganMs = performance.now()
await Promise.all(Array.from({ length: lanes }, lane))
const perSecond = (count * 1_000) / (performance.now() - beganMs)
process.stdout.write(`${JSON.stringify({ perSecond, failed })}\n`)

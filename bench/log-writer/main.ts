/** Writes to stdout at a steady pace. Arguments: MB per second, seconds. Says on stderr how many MB it has written. */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const [perSecondMb = 100, seconds = 5] = process.argv.slice(2).map(Number)
const LINE = `${'x'.repeat(127)}\n`
const chunk = Buffer.from(LINE.repeat(8_192))
const beganMs = performance.now()
let written = 0

while (performance.now() - beganMs < seconds * 1_000) {
  const due = ((performance.now() - beganMs) * perSecondMb * 1e6) / 1_000
  while (written < due) written += writeSync(1, chunk)
  await sleep(2)
}
const tookMs = performance.now() - beganMs
process.stderr.write(`${JSON.stringify({ mb: written / 1e6, tookMs })}\n`)

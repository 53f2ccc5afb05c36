/** `npm run time-check`: the product's due times against a look at every minute, in all zones whose clocks change. */
import { parseArgs } from 'node:util'
import { checkTimes } from './check-times.ts'

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '250000' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
  },
})
const seed = Number(values.seed)
process.stdout.write(`seed ${seed}\n`)
const begin = performance.now()
const report = checkTimes({ seed, cases: Number(values.cases), casesPerWindow: 150 })
const seconds = ((performance.now() - begin) / 1_000).toFixed(0)
for (const difference of report.differences) process.stdout.write(`DIFFERENT ${difference}\n`)
process.stdout.write(
  `${report.cases} cases (${report.dueTimes} due times) in ${report.windows} windows of ${report.zones} zones, ` +
    `${report.differences.length} differences, ${seconds} s\n`,
)
process.exit(report.differences.length === 0 ? 0 : 1)

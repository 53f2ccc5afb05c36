/** `npm run bench`: what a part of Rota costs, measured on this host. Ratios within one run; machines differ. */
import { type Benchmark, reportLines } from './benchmark.ts'
import { leases } from './leases.ts'

const BENCHMARKS: Readonly<Record<string, Benchmark>> = { leases }

const HELP = `Usage: npm run bench -- NAME [--sessions N] [--seconds N]

${Object.entries(BENCHMARKS)
  .map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}
`

const [name = '', ...args] = process.argv.slice(2)
const benchmark = BENCHMARKS[name]
if (benchmark === undefined) {
  process.stdout.write(HELP)
  process.exit(name === '' || name === '--help' ? 0 : 2)
}
const figures = await benchmark.run(args)
for (const line of reportLines(figures)) process.stdout.write(`${line}\n`)
process.exit(figures.every(({ isMet }) => isMet !== false) ? 0 : 1)

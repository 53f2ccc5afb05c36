/** What a failing seed shows: what is broken, the last events about it, and how to see it again. */
import { type RunOptions, type RunResult, runSeed } from './run-seed.ts'

const ABOUT_IT = 60
const AT_THE_END = 40

/** Runs the seed once more, with a trace. */
export async function explainFailure(options: RunOptions): Promise<string> {
  const result = await runSeed({ ...options, isTraced: true })
  const [violation] = result.violations
  const about = violation?.executionId
  const lines = [
    ...(about === undefined
      ? []
      : [`--- the last of execution ${about}`, ...linesAbout(result, about)]),
    '--- the last events',
    ...result.trace.slice(-AT_THE_END),
    ...result.violations.map(describeViolation),
    `seed ${options.seed} again: npm run sim -- --seed ${options.seed} --seeds 1 --seconds ${options.faultyMs / 1_000}`,
  ]
  return lines.map((line) => line.slice(0, 300)).join('\n')
}

export function describeViolation({
  invariant,
  message,
  executionId,
  atMs,
}: RunResult['violations'][number]): string {
  const what = executionId === undefined ? '' : ` (execution ${executionId})`
  return `invariant ${invariant} broken at ${(atMs / 1_000).toFixed(3)} s: ${message}${what}`
}

function linesAbout({ trace }: RunResult, id: string): string[] {
  return trace.filter((line) => line.includes(id)).slice(-ABOUT_IT)
}

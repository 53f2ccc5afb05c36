/** A child process that runs seeds for main.ts: told a seed, it answers with the result. */
import { type RunOptions, type RunResult, runSeed } from './run-seed.ts'

export type SeedAnswer = Omit<RunResult, 'trace' | 'faults' | 'checked'> & {
  readonly faults: readonly (readonly [string, number])[]
  readonly checked: readonly (readonly [number, number])[]
}

process.on('message', (options: RunOptions) => {
  void runSeed(options).then(({ trace: _, faults, checked, ...result }) => {
    const answer: SeedAnswer = { ...result, faults: [...faults], checked: [...checked] }
    process.send?.(answer)
  })
})
process.on('disconnect', () => process.exit(0))

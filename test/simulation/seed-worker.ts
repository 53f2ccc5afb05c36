/** A child process that runs seeds for main.ts: told a seed, it answers with the result. */
import { type RunOptions, type RunResult, runSeed } from './run-seed.ts'

export type SeedAnswer = Omit<RunResult, 'trace' | 'faults' | 'checked'> & {
  readonly faults: readonly (readonly [string, number])[]
  readonly checked: readonly (readonly [number, number])[]
  /** Of all cores, since the answer before; the first one bears the start of the process. */
  readonly cpuMs: number
}

let toldMs = 0

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  const spentMs = (user + system) / 1_000 - toldMs
  toldMs += spentMs
  return spentMs
}

process.on('message', (options: RunOptions) => {
  void runSeed(options).then(({ trace: _, faults, checked, ...result }) => {
    const answer: SeedAnswer = {
      ...result,
      faults: [...faults],
      checked: [...checked],
      cpuMs: cpuMs(),
    }
    process.send?.(answer)
  })
})
process.on('disconnect', () => process.exit(0))

/** How long executions that are triggered one at a time take to begin on an agent. */
import { hostMs, sleepMs } from '../measure/host-time.ts'
import type { Checks } from '../measure/result.ts'
import { range } from './batch.ts'
import type { BenchJob } from './load.ts'
import { countRuns } from './runs.ts'
import type { Setting } from './setting.ts'

const PAUSE_MS = 20

export interface Samples {
  /** From the call to the start of the handler. */
  readonly delaysMs: readonly number[]
  /** From the call to its answer. */
  readonly answersMs: readonly number[]
  readonly checks: Checks
}

/** When each began, the agents have noted themselves. */
export async function sampleStarts(
  { load, rota }: Pick<Setting, 'load' | 'rota'>,
  job: BenchJob,
  count: number,
): Promise<Samples> {
  const batch = load.take(count)
  const calledMs = new Map<number, number>()
  const answersMs: number[] = []
  for (const number of range(batch)) {
    const beganMs = hostMs()
    calledMs.set(number, beganMs)
    await load.triggerOne(job, number)
    answersMs.push(hostMs() - beganMs)
    await sleepMs(PAUSE_MS)
  }
  await load.whenSettled(job)
  const { startedMs } = await countRuns(rota, batch)
  const delaysMs = [...startedMs].map(([number, atMs]) => atMs - (calledMs.get(number) ?? atMs))
  return { delaysMs, answersMs, checks: await load.check(job, batch) }
}

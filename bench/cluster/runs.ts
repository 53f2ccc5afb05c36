/** What the agents themselves say that they have run: the files that their handlers write. */
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from './batch.ts'
import type { Rota } from './rota.ts'

export interface CountedRuns {
  /** Numbers that ran at least once. */
  readonly distinct: number
  /** Numbers that ran more than once. */
  readonly repeated: number
  /** When each ran first, in ms of the host's clock. */
  readonly startedMs: ReadonlyMap<number, number>
}

/** Handlers write a little later than they run. */
const LATE_MS = 3_000
const LOOK_MS = 50

/** Counts the runs of these executions; waits for what is not written yet. */
export async function countRuns(
  { agents }: Pick<Rota, 'agents'>,
  batch: Batch,
): Promise<CountedRuns> {
  const endMs = performance.now() + LATE_MS
  for (;;) {
    const texts = await Promise.all(
      agents.map(({ runsFile }) => readFile(runsFile, 'utf8').catch(() => '')),
    )
    const counted = countLines(texts.join(''), batch)
    if (counted.distinct === batch.to - batch.from || performance.now() > endMs) return counted
    await sleep(LOOK_MS)
  }
}

/** Lines of `number start`. Pure. */
export function countLines(text: string, { from, to }: Batch): CountedRuns {
  const startedMs = new Map<number, number>()
  const repeated = new Set<number>()
  for (const line of text.split('\n')) {
    const [number = Number.NaN, atMs = 0] = line.split(' ').map(Number)
    if (line === '' || !(number >= from && number < to)) continue
    const known = startedMs.get(number)
    if (known !== undefined) repeated.add(number)
    startedMs.set(number, Math.min(known ?? atMs, atMs))
  }
  return { distinct: startedMs.size, repeated: repeated.size, startedMs }
}

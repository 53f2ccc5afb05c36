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

/** Counts the runs of these executions; waits for what is not written yet, as long as `expected` are not there. */
export async function countRuns(
  rota: Pick<Rota, 'agents'>,
  batch: Batch,
  expected = batch.to - batch.from,
): Promise<CountedRuns> {
  return whenWritten(async () => {
    const counted = countLines(await readAll(rota), batch)
    return { counted, isEnough: counted.distinct >= expected }
  })
}

/** Counts runs of executions that had no number, those of schedules. */
export async function countUnnumbered(
  rota: Pick<Rota, 'agents'>,
  expected: number,
): Promise<number> {
  return whenWritten(async () => {
    const counted = (await readAll(rota))
      .split('\n')
      .filter((line) => line.startsWith('-1 ')).length
    return { counted, isEnough: counted >= expected }
  })
}

async function readAll({ agents }: Pick<Rota, 'agents'>): Promise<string> {
  const texts = agents.map(({ runsFile }) => readFile(runsFile, 'utf8').catch(() => ''))
  return (await Promise.all(texts)).join('')
}

async function whenWritten<T>(
  count: () => Promise<{ readonly counted: T; readonly isEnough: boolean }>,
): Promise<T> {
  const endMs = performance.now() + LATE_MS
  for (;;) {
    const { counted, isEnough } = await count()
    if (isEnough || performance.now() > endMs) return counted
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

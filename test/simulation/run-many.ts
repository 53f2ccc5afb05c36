/** Runs many seeds on all cores. */
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { RunOptions, RunResult } from './run-seed.ts'
import type { SeedAnswer } from './seed-worker.ts'

const WORKER = fileURLToPath(new URL('seed-worker.ts', import.meta.url))

export interface ManyRuns {
  readonly firstSeed: number
  readonly seeds: number
  readonly faultyMs: number
  /** Stop after this, in ms of real time. */
  readonly limitMs: number
  /** False: stop. */
  readonly onResult: (result: Omit<RunResult, 'trace'>) => boolean
}

export async function runMany(many: ManyRuns): Promise<void> {
  const startMs = performance.now()
  let next = many.firstSeed
  let isStopped = false
  const take = (): RunOptions | undefined => {
    const isOver = isStopped || next >= many.firstSeed + many.seeds
    if (isOver || performance.now() - startMs > many.limitMs) return undefined
    return { seed: next++, faultyMs: many.faultyMs }
  }
  const workers = Math.min(availableParallelism(), many.seeds)
  const onResult = (result: Omit<RunResult, 'trace'>) => {
    if (!many.onResult(result)) isStopped = true
  }
  await Promise.all(Array.from({ length: workers }, () => runWorker(take, onResult)))
}

function runWorker(
  take: () => RunOptions | undefined,
  onResult: (result: Omit<RunResult, 'trace'>) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = fork(WORKER)
    const next = () => {
      const options = take()
      if (options === undefined) worker.disconnect()
      else worker.send(options)
    }
    worker.on('message', (answer: SeedAnswer) => {
      onResult({ ...answer, faults: new Map(answer.faults), checked: new Map(answer.checked) })
      next()
    })
    worker.once('error', reject)
    worker.once('exit', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`a worker ended with ${code}`))
    })
    next()
  })
}

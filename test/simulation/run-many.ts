/** Runs many seeds on all cores. */
import { fork } from 'node:child_process'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunOptions, RunResult } from './run-seed.ts'
import type { SeedAnswer } from './seed-worker.ts'

const WORKER = fileURLToPath(new URL('seed-worker.ts', import.meta.url))
/** A run makes much that dies young: a nursery that is large enough is seldom swept, and there is one thread to do it. */
const HEAP = ['--min-semi-space-size=32', '--max-semi-space-size=64', '--single-threaded-gc']
const COMPILED = join(tmpdir(), 'rota-simulation')
const PLANT = new URL('mutants/plant.ts', import.meta.url).href

export interface ManyRuns {
  readonly firstSeed: number
  readonly seeds: number
  readonly faultyMs: number
  /** Stop after this, in ms of real time. */
  readonly limitMs: number
  /** Processes. Default: one for each core. */
  readonly workers?: number
  /** False: stop. */
  readonly onResult: (result: WorkerResult) => boolean
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
  const workers = Math.min(many.workers ?? availableParallelism(), many.seeds)
  const onResult = (result: WorkerResult) => {
    if (!many.onResult(result)) isStopped = true
  }
  await Promise.all(Array.from({ length: workers }, () => runWorker({ take, onResult })))
}

export type WorkerResult = Omit<RunResult, 'trace'> & Pick<SeedAnswer, 'cpuMs'>

export interface WorkerRun {
  /** The next seed; undefined: that was all. */
  readonly take: () => RunOptions | undefined
  readonly onResult: (result: WorkerResult) => void
  /** The name of a bug that is planted into the product. */
  readonly mutant?: string
}

/** Runs seeds in a process of its own, one after the other. */
export function runWorker({ mutant, onResult, take }: WorkerRun): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = fork(WORKER, {
      execArgv: mutant === undefined ? HEAP : [...HEAP, '--import', PLANT],
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILED, ROTA_MUTANT: mutant ?? '' },
    })
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

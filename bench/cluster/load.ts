/**
 * Executions for the agents under measurement, and what became of them.
 *
 * L1. Each carries a number that no other has: agents count runs by it, the database is asked by job.
 */

import { createEnqueue } from '../../coordinator/enqueue/enqueue.ts'
import type { ExecutionId, JobId } from '../../coordinator/job/execution.ts'
import { openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { BatchTriggerJobsRequest } from '../../proto/gen/rota/v1/job_service.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { newId } from '../../shared/ids.ts'
import { createLogger } from '../../shared/logger.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { until } from '../../test/support/until.ts'
import type { Checks } from '../measure/result.ts'
import type { Stage } from '../stage.ts'
import { type Batch, range } from './batch.ts'
import type { Rota } from './rota.ts'
import { countRuns } from './runs.ts'

/** As many per call as peers put into one. */
const ADD_BATCH = 1_000
const SETTLED_LIMIT_MS = 300_000

export interface Load {
  /** Makes a job; without a task of its own it counts its runs. `rest` is more of its spec. */
  createJob(name: string, task?: object, rest?: object): Promise<BenchJob>
  /** Numbers for `count` executions. */
  take(count: number): Batch
  /** Puts them into the queue in one transaction; nobody is told. */
  insert(job: BenchJob, batch: Batch): Promise<unknown>
  /** One call of TriggerJob. */
  triggerOne(job: BenchJob, number: number): Promise<void>
  /** Triggers `count` executions with BatchTriggerJobs. */
  enqueue(job: BenchJob, count: number): Promise<Batch>
  /** The same through TriggerJob, `parallel` calls at a time. */
  trigger(job: BenchJob, count: number, parallel: number): Promise<Batch>
  /** Waits until none of the job's executions is live. */
  whenSettled(job: BenchJob): Promise<void>
  /** What the database and the agents say of these executions. */
  check(job: BenchJob, batch: Batch): Promise<Checks>
}

export interface BenchJob {
  readonly name: string
  readonly id: JobId
}

export function createLoad(stage: Stage, rota: Rota): Load {
  const { api, database } = rota
  const logger = createLogger({ name: 'bench', level: 'error' })
  const db = openDatabase({ connection: database.connection, logger, poolSize: 1 })
  stage.onEnd(() => db.destroy())
  const enqueue = createEnqueue({ hints: createHints(), specs: createJobSpecs() })
  let next = 0
  const take = (count: number): Batch => {
    const from = next
    next += count
    return { from, to: next }
  }
  const triggerOne = async (job: BenchJob, number: number) => {
    await api.jobs.triggerJob({ name: `jobs/${job.name}`, parameters: { number } })
  }
  const insert = (job: BenchJob, { from, to }: Batch) =>
    db.transaction().execute((tx) =>
      enqueue(
        tx,
        range({ from, to }).map((number) => ({
          id: newId(clock, random) as ExecutionId,
          jobId: job.id,
          jobVersion: 1,
          trigger: 'manual',
          scheduledFor: undefined,
          availableAt: undefined,
          waitsForDependencies: false,
          parameters: { number },
          pinnedWorker: undefined,
          requestedBy: 'bench',
        })),
      ),
    )
  return {
    take,
    insert,
    triggerOne,
    async createJob(name, task = COUNT, rest = {}) {
      await api.jobs.createJob({ jobId: name, job: benchJob(name, { ...rest, task }) })
      const [row] = await database.query<{ id: string }>(
        'select id from rota.job where name = $1',
        [name],
      )
      return { name, id: Number(row?.id) as JobId }
    },
    async enqueue(job, count) {
      const batch = take(count)
      for (let from = batch.from; from < batch.to; from += ADD_BATCH) {
        const numbers = range({ from, to: Math.min(batch.to, from + ADD_BATCH) })
        const requests = numbers.map((number) => {
          return { name: `jobs/${job.name}`, parameters: { number } }
        })
        const { failedCount } = await api.jobs.batchTriggerJobs(
          BatchTriggerJobsRequest.fromPartial({ requests }),
        )
        if (failedCount > 0) throw new Error(`${failedCount} of ${ADD_BATCH} were not triggered`)
      }
      return batch
    },
    async trigger(job, count, parallel) {
      const batch = take(count)
      const numbers = range(batch).values()
      const caller = async () => {
        for (const number of numbers) await triggerOne(job, number)
      }
      await Promise.all(Array.from({ length: parallel }, caller))
      return batch
    },
    async whenSettled(job) {
      const sql = 'select exists (select from rota.execution where job_id = $1) as "isLive"'
      await until(
        `all of ${job.name} have settled`,
        async () => !(await database.query<{ isLive: boolean }>(sql, [job.id]))[0]?.isLive,
        SETTLED_LIMIT_MS,
      )
    },
    check: (job, batch) => check(rota, job, batch),
  }
}

const COUNT = { handler: { handler: 'bench-count', payload: {} } }

function benchJob(displayName: string, spec: object): Job {
  const parameters = [{ name: 'number', kind: 'KIND_INTEGER', default: '-1' }]
  return Job.fromJSON({ displayName, spec: { parameters, ...spec } })
}

async function check(rota: Rota, job: BenchJob, { from, to }: Batch): Promise<Checks> {
  const [settled] = await rota.database.query<{ distinct: string; failed: string }>(
    `select count(distinct (parameters ->> 'number')::bigint) filter (where state = 'succeeded') as distinct,
      count(*) filter (where state <> 'succeeded') as failed
    from rota.execution_history
    where job_id = $1 and (parameters ->> 'number')::bigint >= $2 and (parameters ->> 'number')::bigint < $3`,
    [job.id, from, to],
  )
  const runs = await countRuns(rota, { from, to })
  const failed = Number(settled?.failed)
  return {
    // Neither may the database know of a success that no agent has seen, nor the other way round.
    lost: to - from - Math.min(Number(settled?.distinct) + failed, runs.distinct),
    doubled: runs.repeated,
    failed,
  }
}

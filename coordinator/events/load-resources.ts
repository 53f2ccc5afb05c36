/** What events are about, as it is by now: a few statements for a whole batch. */
import type { ExecutionId, JobId } from '../job/execution.ts'
import {
  type AttemptRow,
  type ExecutionRow,
  readAttempts,
  readExecutions,
} from '../query/execution-queries.ts'
import { readWorkers, type WorkerRow } from '../query/fleet-queries.ts'
import { type JobRow, readJobs } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import type { EventRow } from './read-event-queries.ts'

export interface Resources {
  readonly jobs: ReadonlyMap<JobId, JobRow>
  readonly executions: ReadonlyMap<ExecutionId, ExecutionRow>
  /** The last ended attempt of each execution. */
  readonly attempts: ReadonlyMap<ExecutionId, AttemptRow>
  /** By name. */
  readonly workers: ReadonlyMap<string, WorkerRow>
}

export async function loadResources(db: Db, events: readonly EventRow[]): Promise<Resources> {
  const jobIds = unique(events.filter(({ type }) => type === 'job').map((event) => event.job_id))
  const ids = unique(events.map((event) => event.execution_id))
  const names = unique(events.filter(({ type }) => type === 'worker').map(({ worker }) => worker))
  const jobs = await readJobs(db, jobIds)
  const executions = await readExecutions(db, ids, firstTime(events))
  const attempts = await readAttempts(db, executions, true)
  const workers = await readWorkers(db, names)
  return {
    jobs: new Map(jobs.map((row) => [row.id, row])),
    executions: new Map(executions.map((row) => [row.id, row])),
    attempts: new Map(attempts.map((row) => [row.execution_id, row])),
    workers: new Map(workers.map((row) => [row.name, row])),
  }
}

function firstTime(events: readonly EventRow[]): Date {
  return new Date(Math.min(...events.map(({ happened_at }) => happened_at.getTime())))
}

function unique<T>(values: readonly (T | null)[]): T[] {
  return [...new Set(values)].filter((value) => value !== null)
}

/**
 * Runs jobs because somebody asked for it.
 *
 * G1. What is asked for at about the same time is stored in one transaction, each as if it were alone.
 * G2. A request that carries an id and comes again does nothing again.
 * G3. What finds a free worker at once is assigned in the same transaction, and sent after its commit.
 */
import { refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import { MicroBatcher } from '../../shared/micro-batcher.ts'
import { requireJob } from '../definition/find-job.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import { readParameters, validateParameters } from '../definition/validate-parameters.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import { readFleetNames } from '../query/fleet-queries.ts'
import { type JobRow, readJobsByName } from '../query/job-queries.ts'
import { workerNotFound } from '../query/worker-not-found.ts'
import type { Db } from '../store/database.ts'
import { isDatabaseUnavailable } from '../store/database-errors.ts'
import { specOf } from '../store/job-specs.ts'
import type { Enqueue, Enqueued } from './enqueue.ts'

export interface Trigger {
  readonly job: string
  readonly parameters: Readonly<Record<string, unknown>>
  /** Id of a worker: only there. Blank: anywhere. */
  readonly worker: string
  readonly scheduleTime: Date | undefined
  readonly actor: string
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

/** Answers the id of the execution; undefined when only validating. */
export type TriggerJob = (trigger: Trigger) => Promise<ExecutionId | undefined>

/** From the match step: gives new executions to free workers within the transaction that inserts them. */
export interface AssignNew {
  claim(tx: Db, enqueued: readonly Enqueued[]): Promise<Assigned>
}

export interface Assigned {
  readonly count: number
  /** The transaction is over; `unknown`: the answer to its COMMIT was lost. */
  conclude(outcome: 'committed' | 'undone' | 'unknown'): Promise<void>
}

interface Prepared {
  readonly execution: NewExecution
  readonly request: RequestKey | undefined
}

/** Transactions at once. */
const LANES = 4
const BATCH = 500

export function createTriggerJob(
  deps: Deps,
  steps: { readonly enqueue: Enqueue; readonly assign: AssignNew },
): TriggerJob {
  const batcher = new MicroBatcher<Prepared, ExecutionId>({
    lanes: LANES,
    sizeMax: BATCH,
    sizeOf: () => 1,
    isUndone: (error) => !isDatabaseUnavailable(error),
    run: async (prepared) => store(deps, steps, prepared),
  })
  const jobs = new MicroBatcher<string, JobRow | undefined>({
    lanes: LANES,
    sizeMax: BATCH,
    sizeOf: () => 1,
    isUndone: () => true,
    run: async (names) => readJobsByName(deps.db, names),
  })
  return async (trigger) => {
    const job = (await jobs.add(trigger.job)) ?? (await requireJob(deps.db, trigger.job))
    const prepared = await prepare(deps, job, trigger)
    return trigger.validateOnly ? undefined : batcher.add(prepared)
  }
}

async function prepare(deps: Deps, job: JobRow, trigger: Trigger): Promise<Prepared> {
  const ref = { jobId: job.id, jobVersion: job.version }
  const { parameters: declared } = specOf(await deps.specs.load(deps.db, [ref]), ref).spec
  refuseViolations(validateParameters(declared, trigger.parameters))
  if (trigger.worker !== '') await requireWorker(deps, trigger.worker)
  return {
    request: trigger.request,
    execution: {
      id: newId(deps.clock, deps.random) as ExecutionId,
      jobId: job.id,
      jobVersion: job.version,
      trigger: 'manual',
      scheduledFor: undefined,
      availableAt: trigger.scheduleTime,
      waitsForDependencies: false,
      parameters: readParameters(declared, trigger.parameters),
      pinnedWorker: trigger.worker || undefined,
      requestedBy: trigger.actor,
    },
  }
}

async function requireWorker(deps: Deps, worker: string): Promise<void> {
  const { workers } = await readFleetNames(deps.db)
  if (!workers.has(worker)) throw await workerNotFound(deps.db, worker, 'worker')
}

async function store(
  deps: Deps,
  { enqueue, assign }: { readonly enqueue: Enqueue; readonly assign: AssignNew },
  prepared: readonly Prepared[],
): Promise<ExecutionId[]> {
  const direct: { assigned?: Assigned } = {}
  const { ids, count } = await deps.db
    .transaction()
    .execute(async (tx) => {
      const { ids, isNew } = await claimRequests(tx, prepared)
      const fresh = prepared.filter((_, index) => isNew[index])
      const enqueued = await enqueue(
        tx,
        fresh.map(({ execution }) => execution),
      )
      direct.assigned = await assign.claim(tx, enqueued)
      return { ids, count: enqueued.length }
    })
    .catch(async (error: unknown) => {
      await direct.assigned?.conclude(isDatabaseUnavailable(error) ? 'unknown' : 'undone')
      throw error
    })
  await direct.assigned?.conclude('committed')
  deps.hints.give(count === direct.assigned?.count ? 'executions' : 'queue')
  return ids
}

/** G2. In the order of their ids, so that two transactions never wait in a ring. */
async function claimRequests(tx: Db, prepared: readonly Prepared[]) {
  const ids = prepared.map(({ execution }) => execution.id)
  const isNew = prepared.map(() => true)
  const keyed = prepared.flatMap(({ request, execution }, index) =>
    request === undefined ? [] : [{ request, index, id: execution.id }],
  )
  keyed.sort((a, b) => (a.request.requestId < b.request.requestId ? -1 : 1))
  for (const { request, index, id } of keyed) {
    const claim = await once(tx, request, id)
    ids[index] = claim.resource as ExecutionId
    isNew[index] = claim.isNew
  }
  return { ids, isNew }
}

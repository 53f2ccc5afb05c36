/**
 * Runs jobs because somebody asked for it.
 *
 * G1. What is asked for at about the same time is stored in one transaction, each as if it were alone.
 * G2. A request that carries an id and comes again does nothing again.
 * G3. What finds a free worker at once is assigned in the same transaction, and sent after its commit.
 */
import type { JobSpec } from '../../proto/gen/rota/v1/job.ts'
import { RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import { MicroBatcher } from '../../shared/micro-batcher.ts'
import { COMPARED_MAX } from '../../shared/near-names.ts'
import { isoSeconds } from '../../shared/rfc-3339.ts'
import { findJobs } from '../definition/find-job.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import { forgetRequest } from '../definition/request-queries.ts'
import { readParameters, validateParameters } from '../definition/validate-parameters.ts'
import type { Deps } from '../deps.ts'
import { type ActiveFreeze, readActiveFreezes } from '../freeze/freeze-queries.ts'
import { isInScope } from '../freeze/freeze-scope.ts'
import type { ExecutionId } from '../job/execution.ts'
import type { NewExecution } from '../job/new-execution.ts'
import { overlapPolicy } from '../job/overlap-policy.ts'
import { readFleetNames } from '../query/fleet-queries.ts'
import type { JobRow } from '../query/job-queries.ts'
import { workerNotFoundIn } from '../query/worker-not-found.ts'
import type { Db } from '../store/database.ts'
import { isUndone } from '../store/database-errors.ts'
import { type JobVersionRef, specOf } from '../store/job-specs.ts'
import type { AssignedNew } from './enqueue.ts'
import type { LeftOut } from './overlap.ts'
import type { StoreNew } from './store-new.ts'

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

/** Undefined when only validating. */
export type TriggerJob = (trigger: Trigger) => Promise<Triggered | undefined>

export interface Triggered {
  readonly id: ExecutionId
  /** Name of the job. */
  readonly job: string
  /** As it was stored, when it got a worker at once. */
  readonly assigned: AssignedNew | undefined
}

interface Prepared {
  readonly job: string
  readonly execution: NewExecution
  readonly request: RequestKey | undefined
  /** Others of its job may keep it from starting. */
  readonly isLimited: boolean
}

/** Transactions at once. */
const LANES = 2
const BATCHES = { sizeMax: 1_000, sizeOf: () => 1, isUndone } as const

export function createTriggerJob(deps: Deps, storeNew: StoreNew): TriggerJob {
  const lookups = createLookups(deps)
  const batcher = new MicroBatcher<Prepared, Triggered | LeftOut>({
    lanes: LANES,
    ...BATCHES,
    run: async (prepared) => storeTriggered(storeNew, prepared),
  })
  return async (trigger) => {
    const prepared = await prepare(deps, lookups, trigger)
    if (trigger.validateOnly) return undefined
    const answer = await batcher.add(prepared)
    if ('assigned' in answer) return answer
    throw refused(trigger.job, answer)
  }
}

/** What triggers name; many that come together cost few statements, however wrong they are. */
interface Lookups {
  readonly jobs: MicroBatcher<string, FoundJob | RotaError>
  /** Undefined: it is there. */
  readonly workers: MicroBatcher<string, RotaError | undefined>
}

interface FoundJob {
  readonly row: JobRow
  readonly spec: JobSpec
  /** Refuses it. */
  readonly freeze: ActiveFreeze | undefined
}

function createLookups({ db, specs }: Deps): Lookups {
  return {
    jobs: new MicroBatcher<string, FoundJob | RotaError>({
      lanes: 1,
      ...BATCHES,
      async run(names) {
        const found = await findJobs(db, names)
        const refs = found.flatMap((each) => (each instanceof RotaError ? [] : [toRef(each)]))
        const loaded = await specs.load(db, refs)
        const isFrozen = found.some(
          (each) => !(each instanceof RotaError) && each.has_manual_freeze,
        )
        const freezes = isFrozen ? await readActiveFreezes(db) : []
        const manual = freezes.filter(({ include_manual }) => include_manual)
        return found.map((each) => {
          if (each instanceof RotaError) return each
          const freeze = manual.find((one) => isInScope(one, each))
          return { row: each, spec: specOf(loaded, toRef(each)).spec, freeze }
        })
      },
    }),
    workers: new MicroBatcher<string, RotaError | undefined>({
      lanes: 1,
      ...BATCHES,
      async run(names) {
        const { workers } = await readFleetNames(db)
        const missing = [...new Set(names)].filter((name) => !workers.has(name))
        const errors = new Map(
          missing.map((name, index) => {
            return [name, workerNotFoundIn('worker', name, index < COMPARED_MAX ? workers : [])]
          }),
        )
        return names.map((name) => errors.get(name))
      },
    }),
  }
}

function toRef({ id, version }: JobRow): JobVersionRef {
  return { jobId: id, jobVersion: version }
}

async function prepare(deps: Deps, lookups: Lookups, trigger: Trigger): Promise<Prepared> {
  const found = await lookups.jobs.add(trigger.job)
  if (found instanceof RotaError) throw found
  if (found.freeze !== undefined) throw frozen(found.row.name, found.freeze)
  const { parameters: declared } = found.spec
  refuseViolations(validateParameters(declared, trigger.parameters))
  const wrong = trigger.worker === '' ? undefined : await lookups.workers.add(trigger.worker)
  if (wrong !== undefined) throw wrong
  return {
    job: found.row.name,
    request: trigger.request,
    isLimited: overlapPolicy(found.spec) !== undefined,
    execution: {
      id: newId(deps.clock, deps.random) as ExecutionId,
      ...toRef(found.row),
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

function frozen(job: string, { name, reason, ends_at }: ActiveFreeze): RotaError {
  const why = reason === '' ? '' : ` (${reason})`
  const message = `job ${job} is frozen until ${isoSeconds(ends_at)} by ${name}${why}`
  return new RotaError('JOB_FROZEN', message, { metadata: { freeze: name } })
}

function storeTriggered(
  storeNew: StoreNew,
  prepared: readonly Prepared[],
): Promise<(Triggered | LeftOut)[]> {
  const isOneStatement = prepared.every(({ isLimited, request }) => !isLimited && !request)
  return storeNew(
    async (tx, enqueue) => {
      const { ids, isNew } = await claimRequests(tx, prepared)
      const fresh = prepared.filter((_, index) => isNew[index])
      const { assigned, leftOut } = await enqueue(fresh.map(({ execution }) => execution))
      const refusals = new Map(leftOut.map((each) => [each.id, each]))
      if (leftOut.length > 0) await forgetRefused(tx, fresh, refusals)
      const stored = new Map(assigned.map((each) => [each.id, each]))
      return prepared.map(({ job }, index) => {
        const id = ids[index] as ExecutionId
        return refusals.get(id) ?? { id, job, assigned: stored.get(id) }
      })
    },
    { isOneStatement },
  )
}

/** What was left out was not done: its request may come again. */
async function forgetRefused(
  tx: Db,
  fresh: readonly Prepared[],
  refusals: ReadonlyMap<ExecutionId, LeftOut>,
): Promise<void> {
  for (const { request, execution } of fresh) {
    if (request !== undefined && refusals.has(execution.id)) await forgetRequest(tx, request)
  }
}

function refused(job: string, { behind, reason }: LeftOut): RotaError {
  const hint = `Wait for it: \`rota exec wait ${behind}\`; end it: \`rota exec cancel ${behind}\`; or let the job queue: \`concurrency.overlap\`.`
  const metadata = { execution: behind }
  return new RotaError('OVERLAP_REFUSED', `job ${job} is not run now: ${reason}`, {
    hint,
    metadata,
  })
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

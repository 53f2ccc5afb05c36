/**
 * Lets in what waits at a gate: the limit of its job, or of its backfill.
 *
 * W1. The rows say what waits and what lives; a hint or an execution that ends here only makes the next look come earlier.
 * W2. A look decides under the gate of the job (V1), and leaves gates that somebody else holds for the next look.
 * W3. What was given up is ended, and what makes room is cancelled, after the gate was left: that locks what others hold.
 */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { ExecutionId, JobId } from '../job/execution.ts'
import type { EndedExecution } from '../job/new-execution.ts'
import { type OverlapPolicy, overlapPolicy } from '../job/overlap-policy.ts'
import type { Db } from '../store/database.ts'
import { specOf } from '../store/job-specs.ts'
import { admitHeld, type Verdicts } from './decide-overlap.ts'
import { insertDependencyChecks } from './enqueue-queries.ts'
import {
  amendOccurrences,
  describeHeld,
  giveUpHeld,
  type HeldJob,
  type HeldNote,
  type HeldRow,
  heldJobs,
  type LiveRow,
  readGivenUp,
  readHeld,
  readLive,
  releaseHeld,
  tryLockGates,
} from './overlap-queries.ts'

/** Jobs in one transaction. */
const BATCH = 100
/** Looks at least so often, in ms: another coordinator may have ended what is in the way. */
const LOOK_MS = 1_000
/** After a hint, which may come before its transaction is committed, it looks again so often, in ms, for so long. */
const EAGER_LOOK_MS = 20
const EAGER_MS = 200

export interface OverlapSteps {
  readonly endExecutions: (tx: Db, ended: readonly EndedExecution[]) => Promise<unknown>
  /** Asks for the end of one that lives, in a transaction of its own; one that has ended is left alone. */
  readonly cancel: (id: ExecutionId, reason: string) => Promise<void>
}

export interface Overlap {
  readonly loop: Ticker
  /** These have ended here, or will when the transaction is committed. */
  noteEnded(ended: readonly { readonly executionId: ExecutionId }[]): void
}

export function createOverlap(deps: Deps, steps: OverlapSteps): Overlap {
  /** What was in somebody's way at the last look. */
  let inTheWay: ReadonlySet<ExecutionId> = new Set()
  let eagerUntilMs = Number.NEGATIVE_INFINITY
  const loop = new Ticker({
    ...deps,
    name: 'overlap',
    runOnce: async () => {
      const seen = new Set<ExecutionId>()
      let released = 0
      for (let after: JobId | 0 | undefined = 0; after !== undefined; ) {
        const look = await lookFrom(deps, steps, after)
        for (const id of look.inTheWay) seen.add(id)
        released += look.releasedCount
        after = look.next
      }
      inTheWay = seen
      if (released > 0) deps.hints.give('queue')
      // A look has the heads only: more may be let in.
      const isEager = released > 0 || deps.clock.monotonicMs() < eagerUntilMs
      return isEager ? EAGER_LOOK_MS : LOOK_MS
    },
  })
  const beEager = () => {
    eagerUntilMs = deps.clock.monotonicMs() + EAGER_MS
  }
  deps.hints.on('overlap', beEager)
  return {
    loop,
    noteEnded(ended) {
      if (!ended.some(({ executionId }) => inTheWay.has(executionId))) return
      beEager()
      loop.wake()
    },
  }
}

interface Look {
  readonly inTheWay: readonly ExecutionId[]
  readonly releasedCount: number
  /** Where the next look goes on; undefined: that was all. */
  readonly next: JobId | undefined
}

async function lookFrom(deps: Deps, steps: OverlapSteps, after: JobId | 0): Promise<Look> {
  const jobs = await heldJobs(deps.db, after, BATCH)
  const next = jobs.length === BATCH ? jobs.at(-1)?.id : undefined
  if (jobs.length === 0) return { inTheWay: [], releasedCount: 0, next }
  const { decided, live } = await deps.db
    .transaction()
    .execute(async (tx) => decideJobs(deps, tx, jobs))
  await endGivenUp(deps, steps, jobs)
  for (const { verdicts, name } of decided) {
    for (const { id, behind } of verdicts.cancel) {
      await steps.cancel(id, `execution ${behind} of ${name} takes its place`)
    }
  }
  return {
    inTheWay: [
      ...live.flatMap(({ ids }) => ids),
      ...decided.flatMap(({ verdicts }) => verdicts.start),
    ],
    releasedCount: decided.reduce((sum, { verdicts }) => sum + verdicts.start.length, 0),
    next,
  }
}

interface DecidedJob {
  readonly name: string
  readonly hasDependencies: boolean
  readonly held: readonly HeldRow[]
  readonly verdicts: Verdicts
}

/** Decides about the jobs whose gates are free, and answers what lives of all of them. */
async function decideJobs(
  deps: Deps,
  tx: Db,
  jobs: readonly HeldJob[],
): Promise<{ readonly decided: readonly DecidedJob[]; readonly live: readonly LiveRow[] }> {
  const all = jobs.map(({ id }) => id)
  const locked = new Set(await tryLockGates(tx, all))
  const live = await readLive(tx, all)
  const own = jobs.filter(({ id }) => locked.has(id))
  if (own.length === 0) return { decided: [], live }
  const held = await readHeld(
    tx,
    own.map(({ id }) => id),
  )
  // What waits goes by the job as it is now.
  const refs = own.map(({ id, version }) => ({ jobId: id, jobVersion: version }))
  const specs = await deps.specs.load(tx, refs)
  const decided = own.map(({ id, name, version }) => {
    const { spec } = specOf(specs, { jobId: id, jobVersion: version })
    const rows = {
      live: live.filter(({ job_id }) => job_id === id),
      held: held.filter(({ job_id }) => job_id === id),
    }
    const verdicts = decideJob(overlapPolicy(spec), rows)
    return { name, hasDependencies: spec.dependencies.length > 0, held: rows.held, verdicts }
  })
  await apply(tx, decided)
  return { decided, live }
}

function decideJob(
  policy: OverlapPolicy | undefined,
  rows: { readonly live: readonly LiveRow[]; readonly held: readonly HeldRow[] },
): Verdicts {
  return admitHeld(policy, {
    live: rows.live.map(({ is_backfill: isBackfill, ...group }) => ({ ...group, isBackfill })),
    held: rows.held.map((row) => ({
      id: row.id,
      trigger: row.trigger,
      gate: row.gate,
      scheduledFor: row.scheduled_for,
      isNew: row.is_new,
      gateLimit: row.gate_limit,
    })),
  })
}

async function apply(tx: Db, decided: readonly DecidedJob[]): Promise<void> {
  const dependent = decided.flatMap(({ hasDependencies, held, verdicts }) => {
    const due = new Set(held.filter(waitsForDependencies).map(({ id }) => id))
    return hasDependencies ? verdicts.start.filter((id) => due.has(id)) : []
  })
  const start = decided.flatMap(({ verdicts }) => verdicts.start)
  if (start.length > 0) {
    const isDependent = new Set(dependent)
    await releaseHeld(
      tx,
      start.filter((id) => !isDependent.has(id)),
      dependent,
    )
  }
  if (dependent.length > 0) await insertDependencyChecks(tx, jobsOf(decided, dependent))
  const skipped = decided.flatMap(({ verdicts }) => verdicts.skip.map(toSkipNote))
  if (skipped.length > 0) await giveUp(tx, decided, skipped)
  const waiting = decided.flatMap(toNews)
  if (waiting.length > 0) await describeHeld(tx, waiting)
}

/** As when it is enqueued: due times wait for the dependencies of their job, nothing else does. */
function waitsForDependencies({ trigger }: HeldRow): boolean {
  return trigger === 'schedule' || trigger === 'catch_up'
}

function jobsOf(decided: readonly DecidedJob[], ids: readonly ExecutionId[]): JobId[] {
  const rows = decided.flatMap(({ held }) => held)
  return [...new Set(rows.filter(({ id }) => ids.includes(id)).map(({ job_id }) => job_id))]
}

/** With what the ledger says of them. */
async function giveUp(
  tx: Db,
  decided: readonly DecidedJob[],
  notes: readonly HeldNote[],
): Promise<void> {
  const given = new Set(await giveUpHeld(tx, notes))
  const reasons = new Map(notes.map(({ id, message }) => [id, message]))
  const amendments = decided
    .flatMap(({ held }) => held)
    .flatMap(({ id, job_id: jobId, scheduled_for: scheduledFor }) => {
      const reason = given.has(id) ? reasons.get(id) : undefined
      if (reason === undefined || scheduledFor === null) return []
      return [{ jobId, scheduledFor, decision: 'coalesced', reason } as const]
    })
  if (amendments.length > 0) await amendOccurrences(tx, amendments)
}

function toSkipNote({ id, behind }: Verdicts['skip'][number]): HeldNote {
  return { id, message: `overlap: execution ${behind} is in its place` }
}

/** The first one at a gate says what it waits for, and each whose time has just come. */
function toNews({ held, verdicts }: DecidedJob): HeldNote[] {
  const rows = new Map(held.map((row) => [row.id, row]))
  const told = new Set<string>()
  return verdicts.wait.flatMap(({ id, behind }) => {
    const row = rows.get(id)
    if (row === undefined || (told.has(row.gate) && !row.is_new)) return []
    told.add(row.gate)
    const message = `waits until execution ${behind} has ended`
    return row.reason_message === message && !row.is_new ? [] : [{ id, message }]
  })
}

async function endGivenUp(
  { db, hints }: Deps,
  { endExecutions }: OverlapSteps,
  jobs: readonly HeldJob[],
): Promise<void> {
  const ids = jobs.map(({ id }) => id)
  const given = await readGivenUp(db, ids)
  if (given.length === 0) return
  const ended = given.map(({ id, message }) => {
    return { id, state: 'skipped', reasonCode: 'OVERLAP_SKIPPED', reasonMessage: message } as const
  })
  await db.transaction().execute(async (tx) => endExecutions(tx, ended))
  hints.give('executions')
}

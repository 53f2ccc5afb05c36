/** Creating and updating jobs. Everything that follows from a definition changes in its transaction. */
import { isDeepStrictEqual } from 'node:util'
import { Job, type JobSpec, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { type FieldViolation, RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import { compileTexts } from '../../shared/schedule/compile-texts.ts'
import { resourceName } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import { recordJobEvents } from '../events/record-event-queries.ts'
import { readFleetNames } from '../query/fleet-queries.ts'
import type { JobRow } from '../query/job-queries.ts'
import type { Db } from '../store/database.ts'
import { isUniqueViolation } from '../store/database-errors.ts'
import {
  databaseNow,
  insertJob,
  insertJobVersion,
  type JobDefinition,
  lockJob,
  setScheduleVersion,
  updateJobRow,
  wakeSchedule,
} from './definition-queries.ts'
import { requireJob } from './find-job.ts'
import { markOf, refusePaused } from './recover.ts'
import { inTransaction, type JobChange } from './rehearse.ts'
import { once, type RequestKey } from './request-key.ts'
import {
  activeState,
  firstDue,
  type SavedJob,
  saveCalendars,
  saveDependencies,
  saveSchedule,
  specText,
} from './save-spec.ts'
import { toSaved } from './saved-job.ts'
import { transact } from './transact.ts'
import { applyMask } from './update-mask.ts'
import { validateCalendars } from './validate-calendars.ts'
import { validateJob } from './validate-job.ts'
import { validateJobId } from './validate-job-id.ts'

export interface CreateJob {
  readonly jobId: string
  readonly job: Job
  readonly actor: string
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

export interface UpdateJob {
  readonly name: string
  readonly job: Job
  readonly mask: readonly string[] | undefined
  readonly actor: string
  /** Kept with the new version. */
  readonly note?: string
  readonly validateOnly: boolean
  /** Due times since then are decided, too. */
  readonly recoverFrom: Date | undefined
}

export async function createJob(deps: Deps, create: CreateJob): Promise<JobRow> {
  const name = create.jobId || `job-${deps.random.bytes(5).toString('hex')}`
  const wrongId = validateJobId(create.jobId)
  const now = await databaseNow(deps.db)
  const job = withRules({ ...create.job, name: resourceName('jobs', name) }, now)
  refuseViolations([
    ...(wrongId === undefined ? [] : [wrongId]),
    ...(await findViolations(deps.db, job, now)),
  ])
  const row = await transact(deps.db, create.validateOnly, async (tx) => {
    const { resource, isNew } = await once(tx, create.request, name)
    if (!isNew) return requireJob(tx, resource)
    await insertWhole(deps, tx, { ...create, job, name })
    return requireJob(tx, name)
  }).catch((error: unknown) => {
    if (!isUniqueViolation(error, 'job_name')) throw error
    throw new RotaError('JOB_ALREADY_EXISTS', `job ${name} exists already`, { cause: error })
  })
  deps.hints.give('schedules')
  return row
}

export async function updateJob(deps: Deps, update: UpdateJob): Promise<JobChange> {
  const change = await inTransaction(deps, update.validateOnly, async (tx) => {
    if ((await lockJob(tx, update.name)) === undefined) await requireJob(tx, update.name)
    const before = await requireJob(tx, update.name)
    if (update.job.etag !== '' && update.job.etag !== etagOf(before)) {
      throw new RotaError('ETAG_MISMATCH', `job ${update.name} has changed since it was read`)
    }
    const definition = toDefinition(before)
    const now = await databaseNow(tx)
    const merged = withRules(applyMask(definition, update.job, update.mask), now, definition)
    const violations = await findViolations(tx, merged, now)
    const isOld = isOldSchedule(definition, merged)
    refuseViolations(violations.filter(({ reason }) => !isOld || reason !== 'SCHEDULE_NEVER_RUNS'))
    const { actor, note = '', recoverFrom } = update
    await saveChange(tx, before, { job: merged, actor, note, recoverFrom })
    return { before, after: await requireJob(tx, update.name) }
  })
  deps.hints.give('schedules')
  return change
}

/** The token for optimistic concurrency (AIP-154). */
export function etagOf(row: Pick<JobRow, 'revision'>): string {
  return `"${row.revision}"`
}

/** The part of a job that its author writes. */
function toDefinition(row: JobRow): Job {
  const { labels, tags, description } = row
  const name = resourceName('jobs', row.name)
  const fields = { name, displayName: row.display_name, description, labels, tags }
  const { spec } = Job.fromJSON({ spec: row.spec })
  return Job.fromPartial({ ...fields, spec })
}

/** The job with the rules of its sentences; those that it had before stay as they were. */
function withRules(job: Job, now: Date, before?: Job): Job {
  const { spec } = job
  if (spec?.schedule === undefined) return job
  const schedule = compileTexts(spec.schedule, now, before?.spec?.schedule)
  return { ...job, spec: { ...spec, schedule } }
}

async function findViolations(db: Db, job: Job, now: Date): Promise<FieldViolation[]> {
  const violations = validateJob(job, { ...(await readFleetNames(db)), now })
  const field = 'job.spec.schedule'
  const isReadable = !violations.some((wrong) => wrong.field.startsWith(field))
  const { schedule } = job.spec ?? {}
  if (!isReadable || schedule === undefined) return violations
  return [...violations, ...(await validateCalendars(db, { field, schedule, now }))]
}

/** A schedule that is over may stay as it is; only a new one must have something to do. */
function isOldSchedule(before: Job, after: Job): boolean {
  const text = ({ spec }: Job) => JSON.stringify(spec?.schedule && Schedule.toJSON(spec.schedule))
  return text(before) === text(after)
}

async function insertWhole(
  deps: Deps,
  tx: Db,
  create: { readonly name: string; readonly job: Job; readonly actor: string },
): Promise<void> {
  const uid = newId(deps.clock, deps.random)
  const spec = specOrThrow(create.job)
  const now = await databaseNow(tx)
  const dueAt = firstDue({ uid, createdAt: now, spec }, now)
  const definition = { ...fieldsOf(create.job), name: create.name, state: activeState(spec, dueAt) }
  const { id, created_at } = await insertJob(tx, { ...definition, uid })
  const { labels } = create.job
  const saved = { id, uid, name: create.name, createdAt: created_at, version: 1, spec, labels }
  await insertJobVersion(tx, {
    jobId: id,
    version: 1,
    spec: specText(spec),
    createdBy: create.actor,
    note: '',
  })
  await saveDependencies(tx, saved)
  await saveCalendars(tx, saved)
  await saveSchedule(tx, saved, { now, dueAt: firstDue(saved, now) })
  await recordJobEvents(tx, [id], { change: 'created', actor: create.actor, message: '' })
}

/** A changed spec is a new version; a changed description is none. */
async function saveChange(
  tx: Db,
  before: JobRow,
  change: Pick<UpdateJob, 'job' | 'actor' | 'recoverFrom'> & { readonly note: string },
): Promise<void> {
  const spec = specOrThrow(change.job)
  const isNewVersion = specText(spec) !== specText(specOrThrow(toDefinition(before)))
  const version = isNewVersion ? before.version + 1 : before.version
  const { id, name } = before
  const saved: SavedJob = { ...toSaved(before), version, spec, labels: change.job.labels }
  const { actor: createdBy, note, recoverFrom } = change
  refusePaused(before.state, recoverFrom)
  const mark = await markOf(tx, saved, { now: await databaseNow(tx), recoverFrom })
  const dueAt = firstDue(saved, mark)
  const isSame = !isNewVersion && recoverFrom === undefined
  const state = before.state === 'paused' || isSame ? before.state : activeState(spec, dueAt)
  await updateJobRow(tx, id, { ...fieldsOf(change.job), name, state, version })
  const message = isNewVersion ? `version ${version}` : ''
  await recordJobEvents(tx, [id], { change: 'updated', actor: createdBy, message })
  // Freezes go by labels.
  if (!isDeepStrictEqual(before.labels, change.job.labels)) await wakeSchedule(tx, id)
  if (isSame) return
  if (isNewVersion) {
    await insertJobVersion(tx, { jobId: id, version, spec: specText(spec), createdBy, note })
    await saveDependencies(tx, saved)
    await saveCalendars(tx, saved)
  }
  const isKept = recoverFrom === undefined && isOldSchedule(toDefinition(before), change.job)
  if (isKept) await setScheduleVersion(tx, id, version)
  else await saveSchedule(tx, saved, { now: mark, dueAt })
}

function fieldsOf(job: Job): Omit<JobDefinition, 'name' | 'state'> {
  const { displayName, description, labels, tags } = job
  return { displayName, description, labels, tags }
}

function specOrThrow(job: Job): JobSpec {
  if (job.spec === undefined) throw new RotaError('FIELD_REQUIRED', 'job.spec: is missing')
  return job.spec
}

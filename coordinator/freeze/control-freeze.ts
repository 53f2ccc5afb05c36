/** Making, ending and deleting freezes. */
import { type Freeze, Freeze_After } from '../../proto/gen/rota/v1/freeze_service.ts'
import {
  checkEnum,
  checkLength,
  didYouMean,
  refuseUnless,
  show,
  violation,
} from '../../shared/errors/check-field.ts'
import { type FieldViolation, RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { wordFromEnum } from '../../shared/wire.ts'
import { databaseNow } from '../definition/definition-queries.ts'
import { once, type RequestKey } from '../definition/request-key.ts'
import { transact } from '../definition/transact.ts'
import { checkResourceId } from '../definition/validate-job-id.ts'
import type { Deps } from '../deps.ts'
import { parseSelector } from '../job/selector.ts'
import type { Db } from '../store/database.ts'
import { isUniqueViolation } from '../store/database-errors.ts'
import {
  deleteFreezeRow,
  endFreezeNow,
  type FreezeRow,
  insertFreeze,
  lockFreeze,
  readFreeze,
  someFreezeNames,
  type Touched,
  wakeFrozen,
  wakeThawed,
} from './freeze-queries.ts'

export interface CreateFreeze {
  /** Blank: one is made. */
  readonly id: string
  readonly freeze: Freeze
  readonly actor: string
  readonly request: RequestKey | undefined
  readonly validateOnly: boolean
}

const REASON_BYTES_MAX = 1_024
const PREFIX_LENGTH_MAX = 200
/** Longer than a year nobody means to freeze, in ms. */
const LENGTH_MS_MAX = 366 * 86_400_000

export async function createFreeze(deps: Deps, create: CreateFreeze): Promise<FreezeRow> {
  const { actor, freeze, request, validateOnly } = create
  const id = create.id || `freeze-${deps.random.bytes(4).toString('hex')}`
  const now = await databaseNow(deps.db)
  refuseViolations([
    ...checkResourceId('freeze_id', id, 'freeze'),
    ...checkFreeze('freeze', freeze, now),
  ])
  const row = await transact(deps.db, validateOnly, async (tx) => {
    const { resource, isNew } = await once(tx, request, id)
    if (!isNew) return requireFreeze(tx, resource)
    await insertFreeze(tx, {
      name: id,
      owner: actor,
      reason: freeze.reason,
      jobPrefix: freeze.jobPrefix,
      selector: freeze.selector,
      startsAt: freeze.startTime,
      endsAt: freeze.endTime ?? now,
      after: wordFromEnum(Freeze_After, freeze.after) ?? 'skip',
      includeManual: freeze.includeManual,
    })
    const row = await requireFreeze(tx, id)
    await wakeFrozen(tx, touchedBy(row))
    return row
  }).catch((error: unknown) => {
    if (!isUniqueViolation(error, 'freeze_name_key')) throw error
    throw new RotaError('FREEZE_ALREADY_EXISTS', `freeze ${id} exists already`, { cause: error })
  })
  deps.hints.give('schedules')
  return row
}

/** Ends a freeze that is active; one that is over stays as it is, one that has not begun is deleted instead. */
export async function endFreeze(deps: Deps, id: string): Promise<FreezeRow> {
  const row = await deps.db.transaction().execute(async (tx) => {
    await lockFreeze(tx, id)
    const row = await requireFreeze(tx, id)
    if (row.state === 'pending') {
      throw new RotaError('FREEZE_STATE_CONFLICT', `freeze ${id} has not begun`, {
        hint: 'Delete it: `rota freeze delete`.',
      })
    }
    if (row.state !== 'active') return row
    await endFreezeNow(tx, row.id)
    await wakeThawed(tx, touchedBy(row))
    return requireFreeze(tx, id)
  })
  deps.hints.give('schedules')
  return row
}

/** Deletes a freeze that has not begun, or has nothing left to do. */
export async function deleteFreeze(deps: Deps, id: string): Promise<void> {
  await deps.db.transaction().execute(async (tx) => {
    await lockFreeze(tx, id)
    const row = await requireFreeze(tx, id)
    if (row.state === 'active' || row.state === 'ending') {
      const what = row.state === 'active' ? 'is active' : 'is just ending'
      throw new RotaError('FREEZE_STATE_CONFLICT', `freeze ${id} ${what}`)
    }
    await deleteFreezeRow(tx, row.id)
    if (row.state === 'pending') await wakeThawed(tx, touchedBy(row))
  })
  deps.hints.give('schedules')
}

/** The freeze of this id, or FREEZE_NOT_FOUND with names that are near. */
export async function requireFreeze(db: Db, id: string): Promise<FreezeRow> {
  const row = await readFreeze(db, id)
  if (row !== undefined) return row
  const hint = didYouMean(nearNames(id, await someFreezeNames(db)))
  throw new RotaError('FREEZE_NOT_FOUND', `there is no freeze ${show(id)}`, {
    ...(hint === undefined ? {} : { hint }),
  })
}

function touchedBy({ job_prefix, starts_at, ends_at }: FreezeRow): Touched {
  return { jobPrefix: job_prefix, from: starts_at, until: ends_at }
}

function checkFreeze(field: string, freeze: Freeze, now: Date): FieldViolation[] {
  const { after, jobPrefix, reason, selector } = freeze
  const reading = parseSelector(selector)
  return [
    ...checkLength(`${field}.reason`, reason, REASON_BYTES_MAX),
    ...refuseUnless(/^[a-z0-9.-]*$/.test(jobPrefix), `${field}.job_prefix`, {
      message: `${show(jobPrefix)} is not how the id of a job begins`,
      hint: 'Write it like billing. or billing.nightly-report.',
    }),
    ...refuseUnless(jobPrefix.length <= PREFIX_LENGTH_MAX, `${field}.job_prefix`, {
      reason: 'FIELD_TOO_LONG',
      message: `is longer than ${PREFIX_LENGTH_MAX} characters`,
    }),
    ...(reading.kind === 'error'
      ? [
          violation(`${field}.selector`, {
            reason: 'SELECTOR_INVALID',
            message: `${reading.message} at character ${reading.position}`,
            hint: reading.hint,
          }),
        ]
      : []),
    ...checkTimes(field, freeze, now),
    ...checkEnum(`${field}.after`, after, Freeze_After),
  ]
}

function checkTimes(field: string, { startTime, endTime }: Freeze, now: Date): FieldViolation[] {
  if (endTime === undefined) {
    const hint = 'Every freeze has an end; end it earlier with `rota freeze end`.'
    const message = 'is missing'
    return [violation(`${field}.end_time`, { reason: 'FIELD_REQUIRED', message, hint })]
  }
  const start = startTime === undefined || startTime < now ? now : startTime
  const lengthMs = endTime.getTime() - start.getTime()
  return [
    ...refuseUnless(endTime > now, `${field}.end_time`, {
      message: `${endTime.toISOString()} has passed`,
    }),
    ...refuseUnless(endTime <= now || lengthMs > 0, `${field}.end_time`, {
      message: 'is not after start_time',
    }),
    ...refuseUnless(lengthMs <= LENGTH_MS_MAX, `${field}.end_time`, {
      message: 'is more than 366 days after start_time',
    }),
  ]
}

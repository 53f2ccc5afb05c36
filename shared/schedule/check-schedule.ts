/** When a job is due: recurrences, zone, window and catch-up. */
import type { Duration } from '../../proto/gen/google/protobuf/duration.ts'
import {
  type CatchUp,
  CatchUp_Policy,
  type DstPolicy,
  DstPolicy_Fold,
  DstPolicy_Gap,
  type Recurrence,
  type Schedule,
} from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../duration.ts'
import {
  checkCount,
  checkDuration,
  checkEnum,
  checkInteger,
  checkRepeats,
  checkTime,
  refuseUnless,
  show,
  violation,
} from '../errors/check-field.ts'
import type { FieldViolation } from '../errors/rota-error.ts'
import { isoSeconds } from '../rfc-3339.ts'
import { nextDue } from './next-due.ts'
import { readSentence, refuseTimeZone } from './read-expression.ts'
import { EVERY_MS_MIN, readRules } from './rule-text.ts'
import { checkTimeZone } from './zone/time-zone.ts'

const RECURRENCES_MAX = 50
const CATCH_UP_EXECUTIONS_MAX = 1_000
const CALENDARS_MAX = 20
const JITTER_MS_MIN = 1_000
const JITTER_MS_MAX = 86_400_000

/** `now` decides whether the schedule has any due time left. */
export function checkSchedule(
  field: string,
  schedule: Schedule | undefined,
  now: Date,
): FieldViolation[] {
  if (schedule === undefined) return []
  const violations = [
    ...validateRecurrences(`${field}.recurrences`, schedule, now),
    ...refuseTimeZone(`${field}.time_zone`, schedule.timeZone),
    ...validateWindow(field, schedule),
    ...validateCatchUp(`${field}.catch_up`, schedule.catchUp),
    ...validateDst(`${field}.dst`, schedule.dst),
    ...validateJitter(`${field}.jitter`, schedule.jitter),
    ...checkCalendarNames(`${field}.exclude_calendars`, schedule.excludeCalendars),
    ...checkCalendarNames(`${field}.only_calendars`, schedule.onlyCalendars),
  ]
  return violations.length > 0 ? violations : validateHasDueTime(field, schedule, now)
}

function validateHasDueTime(field: string, schedule: Schedule, now: Date): FieldViolation[] {
  const due = nextDue({ schedule, after: now, seed: '', anchor: now })
  return refuseUnless(due !== undefined, field, {
    reason: 'SCHEDULE_NEVER_RUNS',
    message: `has no due time after ${now.toISOString()}`,
    hint: due === undefined ? neverHint(schedule, now) : undefined,
  })
}

/** Undefined: that of the reason says it. */
function neverHint(schedule: Schedule, now: Date): string | undefined {
  if (schedule.recurrences.every(({ kind }) => kind?.$case === 'at')) {
    return 'The time has passed. Give a later one, or run the job by hand: rota job trigger NAME.'
  }
  const whenever = { ...schedule, notBefore: undefined, notAfter: undefined }
  const due = nextDue({ schedule: whenever, after: now, seed: '', anchor: now })
  if (due === undefined) return undefined
  return `It would be due at ${isoSeconds(due)}, which not_before and not_after leave out.`
}

function validateRecurrences(
  field: string,
  { recurrences, timeZone }: Schedule,
  now: Date,
): FieldViolation[] {
  if (recurrences.length === 0) {
    const hint = 'Give a cron, every, at or text; leave out the schedule for a job without one.'
    return [violation(field, { reason: 'FIELD_REQUIRED', message: 'is empty', hint })]
  }
  return [
    ...checkCount(field, recurrences, RECURRENCES_MAX),
    ...recurrences
      .slice(0, RECURRENCES_MAX)
      .flatMap((recurrence, index) =>
        validateRecurrence({ path: `${field}[${index}]`, timeZone, now }, recurrence),
      ),
  ]
}

interface Place {
  readonly path: string
  readonly timeZone: string
  readonly now: Date
}

function validateRecurrence(place: Place, recurrence: Recurrence): FieldViolation[] {
  const { path } = place
  const { kind, phase } = recurrence
  if (phase !== undefined && kind?.$case !== 'every') {
    return [violation(`${path}.phase`, { message: 'belongs to `every` only' })]
  }
  switch (kind?.$case) {
    case undefined: {
      const hint = 'Give one of cron, every, at and text.'
      return [violation(path, { reason: 'FIELD_REQUIRED', message: 'is empty', hint })]
    }
    case 'cron':
      return validateCron(`${path}.cron`, kind.value)
    case 'every':
      return validateInterval(path, kind.value, phase)
    case 'at':
      return checkTime(`${path}.at`, kind.value)
    case 'text':
      return recurrence.compiled === '' ? refuseText(place, kind.value) : []
  }
}

function validateInterval(
  path: string,
  every: Duration,
  phase: Duration | undefined,
): FieldViolation[] {
  const wrong = [
    ...checkDuration(`${path}.every`, every, EVERY_MS_MIN),
    ...checkDuration(`${path}.phase`, phase, 0),
  ]
  if (wrong.length > 0) return wrong.map((each) => ({ ...each, hint: INTERVAL_HINT }))
  const isShorter = phase === undefined || durationToMs(phase) < durationToMs(every)
  return [
    ...refuseUnless(every.nanos === 0, `${path}.every`, {
      message: 'is not in whole seconds',
      hint: INTERVAL_HINT,
    }),
    ...refuseUnless(isShorter, `${path}.phase`, {
      message: 'is not shorter than the interval',
      hint: INTERVAL_HINT,
    }),
  ]
}

const INTERVAL_HINT =
  'An interval is whole seconds from 1s to 365d, its phase shorter. What must run more often is better a job that runs on.'

function validateJitter(field: string, jitter: Duration | undefined): FieldViolation[] {
  if (jitter === undefined) return []
  const wrong = checkDuration(field, jitter, JITTER_MS_MIN)
  if (wrong.length > 0) return wrong
  return [
    ...refuseUnless(durationToMs(jitter) <= JITTER_MS_MAX, field, {
      message: 'is longer than a day',
    }),
    ...refuseUnless(jitter.nanos === 0, field, { message: 'is not in whole seconds' }),
  ]
}

function validateDst(field: string, dst: DstPolicy | undefined): FieldViolation[] {
  if (dst === undefined) return []
  return [
    ...checkEnum(`${field}.gap`, dst.gap, DstPolicy_Gap),
    ...checkEnum(`${field}.fold`, dst.fold, DstPolicy_Fold),
  ]
}

function validateCron(field: string, expression: string): FieldViolation[] {
  const reading = readRules(expression)
  if (reading.kind === 'rules') return []
  const { message, position, hint } = reading
  return [
    violation(field, {
      reason: 'CRON_INVALID',
      message: `${show(expression)}: ${message}, at character ${position}`,
      hint,
    }),
  ]
}

/** Why it has no rule: compileTexts found none. */
function refuseText({ path, timeZone, now }: Place, text: string): FieldViolation[] {
  const zone = checkTimeZone(timeZone) === undefined ? timeZone : ''
  const reading = readSentence({ field: `${path}.text`, text, now, timeZone: zone })
  return reading.kind === 'refused' ? [reading.violation] : []
}

/** Whether there are such calendars only the coordinator knows. */
function checkCalendarNames(field: string, names: readonly string[]): FieldViolation[] {
  return [
    ...checkCount(field, names, CALENDARS_MAX),
    ...checkRepeats(field, names.slice(0, CALENDARS_MAX)),
    ...names.slice(0, CALENDARS_MAX).flatMap((name, index) =>
      refuseUnless(/^(calendars\/)?[a-z0-9.-]{1,200}$/.test(name), `${field}[${index}]`, {
        reason: 'NAME_INVALID',
        message: `${show(name)} is not of the form calendars/ID`,
        hint: 'Write it as calendars/ID.',
      }),
    ),
  ]
}

function validateWindow(field: string, { notBefore, notAfter }: Schedule): FieldViolation[] {
  const wrong = [
    ...checkTime(`${field}.not_before`, notBefore),
    ...checkTime(`${field}.not_after`, notAfter),
  ]
  if (wrong.length > 0 || notBefore === undefined || notAfter === undefined) return wrong
  return refuseUnless(notBefore <= notAfter, `${field}.not_after`, {
    message: 'is before not_before',
  })
}

function validateCatchUp(field: string, catchUp: CatchUp | undefined): FieldViolation[] {
  if (catchUp === undefined) return []
  const range = { min: 0, max: CATCH_UP_EXECUTIONS_MAX }
  return [
    ...checkEnum(`${field}.policy`, catchUp.policy, CatchUp_Policy),
    ...checkDuration(`${field}.max_lateness`, catchUp.maxLateness, 0),
    ...checkInteger(`${field}.max_executions`, catchUp.maxExecutions, range),
  ]
}

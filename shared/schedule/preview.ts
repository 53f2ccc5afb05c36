/** What a schedule would do, before there is a job: words, rule, warnings, times. Pure; needs no coordinator. */
import { DstPolicy_Fold, DstPolicy_Gap, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { violation } from '../errors/check-field.ts'
import type { FieldViolation } from '../errors/rota-error.ts'
import { isoSeconds } from '../rfc-3339.ts'
import { checkSchedule } from './check-schedule.ts'
import { compileTexts } from './compile-texts.ts'
import { describeRules } from './describe/describe.ts'
import { compileSchedule, dstRule } from './next-due.ts'
import type { DstRule } from './next-instant.ts'
import { readExpression, refuseTimeZone } from './read-expression.ts'
import { rulesOf, ruleTextOf } from './recurrence-rules.ts'
import { scheduleWarnings } from './warnings.ts'
import { localTime } from './zone/local-time.ts'
import { ZoneOffsets } from './zone/zone-offsets.ts'

export interface PreviewSpan {
  /** Times are strictly after it. */
  readonly from: Date
  readonly count: number
}

export interface PreviewRequest extends PreviewSpan {
  readonly expr: string
  /** IANA name; blank for UTC. */
  readonly timeZone: string
  readonly dst: DstRule
}

export interface Preview {
  readonly description: string
  /** The rule that would be stored: cron, `@every`, `@at`, joined by `;`. */
  readonly compiled: string
  readonly warnings: readonly string[]
  readonly times: readonly PreviewTime[]
}

export interface PreviewTime {
  /** RFC 3339 in UTC. */
  readonly instant: string
  /** RFC 3339 with the offset of the zone. */
  readonly local: string
}

export type PreviewAnswer =
  | { readonly kind: 'preview'; readonly preview: Preview }
  | { readonly kind: 'refused'; readonly violation: FieldViolation }

type Violations = readonly [FieldViolation, ...FieldViolation[]]

export type WholePreviewAnswer =
  | { readonly kind: 'preview'; readonly preview: Preview }
  | { readonly kind: 'refused'; readonly violations: Violations }

const GAPS = {
  run_after: DstPolicy_Gap.RUN_AFTER,
  skip: DstPolicy_Gap.SKIP,
  shift: DstPolicy_Gap.SHIFT,
} as const
const FOLDS = {
  first: DstPolicy_Fold.FIRST,
  last: DstPolicy_Fold.LAST,
  both: DstPolicy_Fold.BOTH,
} as const

/** Stands for the job that there is not yet. */
const SEED = 'preview'

export function previewSchedule(request: PreviewRequest): PreviewAnswer {
  const { expr, timeZone, from } = request
  const [wrongZone] = refuseTimeZone('tz', timeZone)
  if (wrongZone !== undefined) return { kind: 'refused', violation: wrongZone }
  const reading = readExpression({ field: 'expr', text: expr, now: from, timeZone })
  if (reading.kind === 'refused') return reading
  const schedule = Schedule.fromPartial({
    recurrences: [{ kind: { $case: 'cron', value: reading.compiled } }],
    timeZone,
    dst: { gap: GAPS[request.dst.gap], fold: FOLDS[request.dst.fold] },
  })
  return previewOf('expr', schedule, request)
}

/** Of a whole schedule: refused for all that would keep it from being saved. */
export function previewWholeSchedule(
  field: string,
  written: Schedule,
  span: PreviewSpan,
): WholePreviewAnswer {
  const schedule = compileTexts(written, span.from)
  const [wrong, ...others] = checkSchedule(field, schedule, span.from)
  if (wrong !== undefined) return { kind: 'refused', violations: [wrong, ...others] }
  const answer = previewOf(field, schedule, span)
  return answer.kind === 'preview' ? answer : { kind: 'refused', violations: [answer.violation] }
}

/** Of a schedule that is right. */
function previewOf(field: string, schedule: Schedule, { from, count }: PreviewSpan): PreviewAnswer {
  const timeZone = schedule.timeZone || 'UTC'
  const zone = new ZoneOffsets(timeZone)
  const times = dueTimes(schedule, { from, count })
  const last = times.at(-1)
  if (last === undefined) {
    const message = `has no due time after ${isoSeconds(from)}`
    return {
      kind: 'refused',
      violation: violation(field, { reason: 'SCHEDULE_NEVER_RUNS', message }),
    }
  }
  const rules = schedule.recurrences.flatMap(rulesOf)
  const warnings = scheduleWarnings({
    ...{ rules, zone },
    zoneName: timeZone,
    dst: dstRule(schedule),
    from: from.getTime() / 1_000,
    seed: SEED,
  })
  const preview: Preview = {
    description: `${capital(describeRules(rules))}, ${timeZone}`,
    compiled: schedule.recurrences.map(ruleTextOf).join('; '),
    warnings:
      times.length < count
        ? [...warnings, `It never runs again after ${isoSeconds(new Date(last))}.`]
        : warnings,
    times: times.map((ms) => showTime(ms, zone)),
  }
  return { kind: 'preview', preview }
}

function dueTimes(schedule: Schedule, { from, count }: PreviewSpan): number[] {
  const walk = compileSchedule(schedule, { seed: SEED, anchor: from })
  const times: number[] = []
  let atMs = from.getTime()
  while (times.length < count) {
    atMs = walk.next(atMs)
    if (atMs === Infinity) break
    times.push(atMs)
  }
  return times
}

function showTime(ms: number, zone: ZoneOffsets): PreviewTime {
  const seconds = Math.floor(ms / 1_000)
  return {
    instant: isoSeconds(new Date(ms)),
    local: localTime(seconds, zone.stretchAt(seconds).offset),
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

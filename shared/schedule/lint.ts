/** Errors and surprises of a whole schedule. */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'
import { CATALOGUE, type ErrorReason } from '../errors/catalogue.ts'
import { checkSchedule } from './check-schedule.ts'
import { compileTexts } from './compile-texts.ts'
import { dstRule } from './next-due.ts'
import { rulesOf } from './recurrence-rules.ts'
import { scheduleWarnings } from './warnings.ts'
import { ZoneOffsets } from './zone/zone-offsets.ts'

export interface LintFinding {
  readonly level: 'error' | 'warning'
  readonly field: string
  readonly reason: ErrorReason | 'WARNING'
  readonly message: string
  readonly hint: string
}

/** What the coordinator would refuse, else what may surprise. A job without a schedule has no findings. */
export function lintSchedule(
  field: string,
  written: Schedule | undefined,
  now: Date,
): LintFinding[] {
  if (written === undefined) return []
  const schedule = compileTexts(written, now)
  const violations = checkSchedule(field, schedule, now)
  if (violations.length > 0) {
    return violations.map(({ field: place, reason, message, hint }) => {
      return { level: 'error', field: place, reason, message, hint: hint ?? CATALOGUE[reason].hint }
    })
  }
  return schedule.recurrences.flatMap((recurrence, index) => {
    const warnings = scheduleWarnings({
      rules: rulesOf(recurrence),
      zoneName: schedule.timeZone || 'UTC',
      zone: new ZoneOffsets(schedule.timeZone || 'UTC'),
      dst: dstRule(schedule),
      from: now.getTime() / 1_000,
      seed: '',
    })
    const place = `${field}.recurrences[${index}]`
    return warnings
      .filter((warning) => !isOfPreview(warning))
      .map(
        (message) =>
          ({ level: 'warning', field: place, reason: 'WARNING', message, hint: '' }) as const,
      )
  })
}

/** Said of the times of a preview, of which lint shows none. */
function isOfPreview(warning: string): boolean {
  return warning.includes('these')
}

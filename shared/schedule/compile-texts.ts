/** Sentences of a schedule become rules once, when it is saved: `tomorrow` and `every other week` count from that moment. */
import type { Recurrence, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { compileText } from './language/compile-text.ts'
import { isTimeZone } from './zone/time-zone.ts'

/**
 * The schedule with the rule of each sentence in `compiled`; blank where it cannot be read, which validation refuses. What
 * `before` has compiled from the same sentence in the same zone stays: an edit elsewhere moves nothing.
 */
export function compileTexts(schedule: Schedule, now: Date, before?: Schedule): Schedule {
  const timeZone = isTimeZone(schedule.timeZone) ? schedule.timeZone : ''
  const known = before?.timeZone === schedule.timeZone ? before.recurrences : []
  const recurrences = schedule.recurrences.map((recurrence) => {
    const { kind } = recurrence
    if (kind?.$case !== 'text') return { ...recurrence, compiled: '' }
    const compiled = compiledBefore(kind.value, known) ?? compileNew(kind.value, now, timeZone)
    return { ...recurrence, compiled }
  })
  return { ...schedule, recurrences }
}

function compiledBefore(text: string, known: readonly Recurrence[]): string | undefined {
  const same = known.find(({ kind }) => kind?.$case === 'text' && kind.value === text)
  return same?.compiled || undefined
}

function compileNew(text: string, now: Date, timeZone: string): string {
  const reading = compileText({ text, now, timeZone })
  return reading.kind === 'rule' ? reading.compiled : ''
}

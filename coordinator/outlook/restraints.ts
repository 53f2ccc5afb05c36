/**
 * What keeps due times of a schedule from running although they come: the one place where calendars and freezes meet what is
 * shown ahead of time.
 */
import type { Schedule } from '../../proto/gen/rota/v1/job.ts'

export interface Restraints {
  readonly excludeCalendars: readonly string[]
  readonly onlyCalendars: readonly string[]
  /** Names of freezes that cover one of its due times. */
  readonly freezes: readonly string[]
}

export function restraintsOf(schedule: Schedule | undefined): Restraints {
  return {
    excludeCalendars: schedule?.excludeCalendars ?? [],
    onlyCalendars: schedule?.onlyCalendars ?? [],
    freezes: [],
  }
}

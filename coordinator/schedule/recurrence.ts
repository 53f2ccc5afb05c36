/** One recurrence of a schedule: cron, every or at. */
import type { Recurrence } from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../../shared/duration.ts'
import { nextCronTime, nextInterval } from './cron.ts'

export interface RecurrenceWalk {
  /** IANA name; blank for UTC. */
  readonly timeZone: string
  readonly after: Date
  /** Picks the values of `H`: the job's uid. */
  readonly seed: string
  /** Where intervals count from: the creation time of the job. */
  readonly anchor: Date
}

/** The shortest interval, in ms. */
export const EVERY_MS_MIN = 1_000

/** The first due time of one recurrence strictly after `walk.after`; undefined when there is none. */
export function nextOfRecurrence(recurrence: Recurrence, walk: RecurrenceWalk): Date | undefined {
  const { kind } = recurrence
  switch (kind?.$case) {
    case 'cron':
      return nextCronTime({ ...walk, expression: kind.value })
    case 'every': {
      const everyMs = durationToMs(kind.value)
      return everyMs < EVERY_MS_MIN ? undefined : nextInterval(everyMs, walk.anchor, walk.after)
    }
    case 'at':
      return kind.value > walk.after ? kind.value : undefined
    // Refused by validation in this release.
    case 'text':
    case undefined:
      return undefined
  }
}

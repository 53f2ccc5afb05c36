/**
 * When a time zone changes its offset from UTC, read from the runtime once and then found by bisection.
 *
 * Z1. A stretch is whole: its ends are real changes (or infinite), wherever the page that it was read for ends.
 * Z2. The memory is bounded: pages that were not used for long are forgotten, which changes no answer.
 */

import { RecentlyUsed } from '../../recently-used.ts'

/** A time with one offset. All in seconds; times since the Unix epoch. */
export interface Stretch {
  readonly start: number
  /** The first instant that is not in it. */
  readonly end: number
  /** What is added to an instant to get its wall-clock time. */
  readonly offset: number
  /** Of the stretch before; the same offset when there is none. */
  readonly offsetBefore: number
  /** Of the stretch after; the same offset when there is none. */
  readonly offsetAfter: number
}

/** About 34 years: up to 70 changes in most zones, read in less than a millisecond. */
const PAGE_S = 2 ** 30
/** Room for every zone of the world around the present, at 5 KiB each. */
const PAGES_MAX = 1_000

const pages = new RecentlyUsed<readonly Stretch[]>(PAGES_MAX)

/** Changes of one zone. Make one per schedule, not per question: it remembers the last answer. */
export class ZoneOffsets {
  readonly #zone: string
  #last: Stretch = { start: 0, end: 0, offset: 0, offsetBefore: 0, offsetAfter: 0 }

  /** `zone`: an IANA name that checkTimeZone accepts. */
  constructor(zone: string) {
    this.#zone = zone
  }

  /** `at` in seconds since the Unix epoch, within the years -1 to 10000. */
  stretchAt(at: number): Stretch {
    const last = this.#last
    if (at >= last.start && at < last.end) return last
    this.#last = findStretch(pageOf(this.#zone, Math.floor(at / PAGE_S)), at)
    return this.#last
  }
}

function findStretch(page: readonly Stretch[], at: number): Stretch {
  let low = 0
  let high = page.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((page[middle]?.start ?? Infinity) <= at) low = middle
    else high = middle - 1
  }
  return (
    page[low] ?? { start: -Infinity, end: Infinity, offset: 0, offsetBefore: 0, offsetAfter: 0 }
  )
}

function pageOf(zone: string, index: number): readonly Stretch[] {
  return pages.get(`${zone}/${index}`, () => readPage(zone, index))
}

/** Every stretch that has an instant in the page, in order. */
function readPage(zone: string, index: number): Stretch[] {
  const first = Temporal.Instant.fromEpochMilliseconds(index * PAGE_S * 1_000)
  const found: Stretch[] = []
  let at: Temporal.ZonedDateTime = first.toZonedDateTimeISO(zone)
  for (;;) {
    const stretch = readStretch(at)
    found.push(stretch)
    if (stretch.end >= (index + 1) * PAGE_S) return found
    at = Temporal.Instant.fromEpochMilliseconds(stretch.end * 1_000).toZonedDateTimeISO(zone)
  }
}

function readStretch(at: Temporal.ZonedDateTime): Stretch {
  const end = at.getTimeZoneTransition('next')
  const start = at.add({ nanoseconds: 1 }).getTimeZoneTransition('previous')
  const before = start?.subtract({ nanoseconds: 1 })
  return {
    start: start === null ? -Infinity : start.epochMilliseconds / 1_000,
    end: end === null ? Infinity : end.epochMilliseconds / 1_000,
    offset: offsetOf(at),
    offsetBefore: offsetOf(before ?? at),
    offsetAfter: offsetOf(end ?? at),
  }
}

function offsetOf(at: Temporal.ZonedDateTime): number {
  return at.offsetNanoseconds / 1_000_000_000
}

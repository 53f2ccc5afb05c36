import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyCron, type KnownCron } from './any-cron.ts'
import { nextTime } from './next-time.ts'

const NEW_YORK = 'America/New_York'

/** Local times with their offset, which tells the two passes of a repeated hour apart. */
function localTimes(expression: string, zone: string, after: string, count = 4): string[] {
  const times: string[] = []
  let last = new Date(after)
  while (times.length < count) {
    const next = nextTime({ expression, timeZone: zone, after: last, seed: '' })
    if (next === undefined) break
    last = next
    const local = Temporal.Instant.fromEpochMilliseconds(next.getTime()).toZonedDateTimeISO(zone)
    times.push(`${local.toPlainDateTime().toString().slice(5, 16)}${local.offset}`)
  }
  return times
}

describe('in spring, when the clock jumps from 2:00 to 3:00', () => {
  test('a time that does not exist runs at the first instant after the gap', () => {
    expect(localTimes('30 2 * * *', NEW_YORK, '2026-03-08T05:00:00Z', 2)).toEqual([
      '03-08T03:00-04:00',
      '03-09T02:30-04:00',
    ])
  })

  test('several times that do not exist run once', () => {
    expect(localTimes('0,20,40 1,2 * * *', NEW_YORK, '2026-03-08T06:30:00Z', 3)).toEqual([
      '03-08T01:40-05:00',
      '03-08T03:00-04:00',
      '03-09T01:00-04:00',
    ])
  })

  test('a time at the beginning of the gap is in it, one at its end is not', () => {
    expect(localTimes('0 2 * * *', NEW_YORK, '2026-03-08T05:00:00Z', 1)).toEqual([
      '03-08T03:00-04:00',
    ])
    expect(localTimes('0 3 * * *', NEW_YORK, '2026-03-08T05:00:00Z', 1)).toEqual([
      '03-08T03:00-04:00',
    ])
  })

  test('every hour of the clock goes on without the hour that does not exist', () => {
    expect(localTimes('15 * * * *', NEW_YORK, '2026-03-08T06:00:00Z', 3)).toEqual([
      '03-08T01:15-05:00',
      '03-08T03:15-04:00',
      '03-08T04:15-04:00',
    ])
  })
})

describe('in autumn, when the hour from 1:00 to 2:00 comes twice', () => {
  test('a fixed time runs in the first pass only', () => {
    expect(localTimes('30 1 * * *', NEW_YORK, '2026-11-01T04:00:00Z', 2)).toEqual([
      '11-01T01:30-04:00',
      '11-02T01:30-05:00',
    ])
  })

  test('a time at the end of the repeated hour is not in it', () => {
    for (const after of ['2026-11-01T04:00:00Z', '2026-11-01T05:45:00Z', '2026-11-01T06:59:59Z']) {
      expect(localTimes('0 2 * * *', NEW_YORK, after, 1)).toEqual(['11-01T02:00-05:00'])
    }
    expect(localTimes('0 1 * * *', NEW_YORK, '2026-11-01T05:30:00Z', 1)).toEqual([
      '11-02T01:00-05:00',
    ])
  })

  test('a walk that begins between the passes does not run it again', () => {
    // cron-parser 5.10.5 answers 01:30-05:00 here.
    expect(localTimes('30 1 * * *', NEW_YORK, '2026-11-01T05:45:00Z', 1)).toEqual([
      '11-02T01:30-05:00',
    ])
    expect(localTimes('30 1 * * *', NEW_YORK, '2026-11-01T06:15:00Z', 1)).toEqual([
      '11-02T01:30-05:00',
    ])
  })

  test('every hour of the clock runs in both passes', () => {
    expect(localTimes('30 * * * *', NEW_YORK, '2026-11-01T05:00:00Z', 3)).toEqual([
      '11-01T01:30-04:00',
      '11-01T01:30-05:00',
      '11-01T02:30-05:00',
    ])
  })
})

test('half an hour of change is handled as well as a whole one', () => {
  expect(localTimes('15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', 2)).toEqual([
    '10-04T02:30+11:00',
    '10-05T02:15+11:00',
  ])
  expect(localTimes('45 1 * * *', 'Australia/Lord_Howe', '2026-04-04T12:00:00Z', 2)).toEqual([
    '04-05T01:45+11:00',
    '04-06T01:45+10:30',
  ])
})

test('a day that a zone left out runs when the next one begins', () => {
  // Samoa had no 30 December 2011.
  expect(localTimes('0 12 30 12 *', 'Pacific/Apia', '2011-12-01T00:00:00Z', 2)).toEqual([
    '12-31T00:00+14:00',
    '12-30T12:00+14:00',
  ])
})

test('the last minutes of a day that comes twice run twice, though the next day is far', () => {
  // Cuba puts the clock back from 1:00 to 0:00.
  expect(localTimes('30 * 1 11 *', 'America/Havana', '2026-11-01T04:00:00Z', 2)).toEqual([
    '11-01T00:30-04:00',
    '11-01T00:30-05:00',
  ])
})

/** Every due minute in (from, to], by looking at each minute of it. */
function reference(cron: KnownCron, zone: string, from: number, to: number): number[] {
  const due: number[] = []
  for (let ms = from + 60_000; ms <= to; ms += 60_000) {
    const at = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone)
    if (isDueAt(cron, at)) due.push(ms)
  }
  return due
}

function isDueAt(cron: KnownCron, at: Temporal.ZonedDateTime): boolean {
  const wall = at.toPlainDateTime()
  const first = wall.toZonedDateTime(at.timeZoneId, { disambiguation: 'earlier' })
  const isFirstPass = first.epochMilliseconds === at.epochMilliseconds
  if (cron.matches(wall) && (cron.isInterval || isFirstPass)) return true
  return !cron.isInterval && skippedMinutes(at).some((minute) => cron.matches(minute))
}

/** The wall-clock minutes that were jumped over to arrive at this instant. */
function skippedMinutes(at: Temporal.ZonedDateTime): Temporal.PlainDateTime[] {
  const minutes: Temporal.PlainDateTime[] = []
  const before = at.subtract({ minutes: 1 }).toPlainDateTime()
  for (
    let wall = before.add({ minutes: 1 });
    Temporal.PlainDateTime.compare(wall, at.toPlainDateTime()) < 0;
    wall = wall.add({ minutes: 1 })
  ) {
    minutes.push(wall)
  }
  return minutes
}

describe('properties', () => {
  const zones = fc.constantFrom(
    'UTC',
    NEW_YORK,
    'Europe/Paris',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'America/Havana',
    'Africa/Casablanca',
    'Asia/Beirut',
  )
  /** A minute at most a day before a change of offset. */
  const starts = fc
    .tuple(zones, fc.integer({ min: 1990, max: 2037 }), fc.integer({ min: 0, max: 1_440 }))
    .map(([zone, year, minutes]) => {
      const january = Temporal.PlainDate.from({ year, month: 1, day: 1 }).toZonedDateTime(zone)
      const change = january.getTimeZoneTransition('next') ?? january
      const ms = change.epochMilliseconds - minutes * 60_000
      return { zone, from: ms - (ms % 60_000) }
    })

  test('the walk meets what a look at every minute finds', () => {
    fc.assert(
      fc.property(anyCron(), starts, (cron, { zone, from }) => {
        const to = from + 40 * 3_600_000
        const walked: number[] = []
        for (let after = from; ; after = walked.at(-1) ?? from) {
          const due = nextTime({
            expression: cron.text,
            timeZone: zone,
            after: new Date(after),
            seed: '',
          })
          if (due === undefined || due.getTime() > to) break
          walked.push(due.getTime())
        }
        expect(walked).toEqual(reference(cron, zone, from, to))
      }),
      { numRuns: 60 },
    )
  })

  test('where a walk begins does not matter', () => {
    fc.assert(
      fc.property(
        anyCron(),
        starts,
        fc.integer({ min: 0, max: 40 * 3_600_000 }),
        (cron, { zone, from }, cutMs) => {
          const next = (after: number) =>
            nextTime({
              expression: cron.text,
              timeZone: zone,
              after: new Date(after),
              seed: '',
            })?.getTime() ?? Infinity
          const due = next(from)
          const cut = from + cutMs
          expect(next(Math.min(cut, due - 1))).toBe(due)
        },
      ),
      { numRuns: 300 },
    )
  })
})

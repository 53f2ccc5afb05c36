import { describe, expect, test } from 'vitest'
import { DstPolicy, DstPolicy_Fold, DstPolicy_Gap } from '../../../../proto/gen/rota/v1/job.ts'
import { nextTime } from './next-time.ts'

const NEW_YORK = 'America/New_York'

/** Local times with their offset, which tells the two passes of a repeated hour apart. */
interface Walk {
  readonly zone: string
  readonly after: string
  readonly count?: number
  readonly dst?: DstPolicy
}

function localTimes(expression: string, { zone, after, count = 4, dst }: Walk): string[] {
  const times: string[] = []
  let last = new Date(after)
  while (times.length < count) {
    const next = nextTime({
      expression,
      timeZone: zone,
      after: last,
      seed: '',
      ...(dst !== undefined && { dst }),
    })
    if (next === undefined) break
    last = next
    const local = Temporal.Instant.fromEpochMilliseconds(next.getTime()).toZonedDateTimeISO(zone)
    times.push(`${local.toPlainDateTime().toString().slice(5, 16)}${local.offset}`)
  }
  return times
}

describe('in spring, when the clock jumps from 2:00 to 3:00', () => {
  test('a time that does not exist runs at the first instant after the gap', () => {
    expect(
      localTimes('30 2 * * *', { zone: NEW_YORK, after: '2026-03-08T05:00:00Z', count: 2 }),
    ).toEqual(['03-08T03:00-04:00', '03-09T02:30-04:00'])
  })

  test('several times that do not exist run once', () => {
    expect(
      localTimes('0,20,40 1,2 * * *', { zone: NEW_YORK, after: '2026-03-08T06:30:00Z', count: 3 }),
    ).toEqual(['03-08T01:40-05:00', '03-08T03:00-04:00', '03-09T01:00-04:00'])
  })

  test('a time at the beginning of the gap is in it, one at its end is not', () => {
    expect(
      localTimes('0 2 * * *', { zone: NEW_YORK, after: '2026-03-08T05:00:00Z', count: 1 }),
    ).toEqual(['03-08T03:00-04:00'])
    expect(
      localTimes('0 3 * * *', { zone: NEW_YORK, after: '2026-03-08T05:00:00Z', count: 1 }),
    ).toEqual(['03-08T03:00-04:00'])
  })

  test('every hour of the clock goes on without the hour that does not exist', () => {
    expect(
      localTimes('15 * * * *', { zone: NEW_YORK, after: '2026-03-08T06:00:00Z', count: 3 }),
    ).toEqual(['03-08T01:15-05:00', '03-08T03:15-04:00', '03-08T04:15-04:00'])
  })
})

describe('in autumn, when the hour from 1:00 to 2:00 comes twice', () => {
  test('a fixed time runs in the first pass only', () => {
    expect(
      localTimes('30 1 * * *', { zone: NEW_YORK, after: '2026-11-01T04:00:00Z', count: 2 }),
    ).toEqual(['11-01T01:30-04:00', '11-02T01:30-05:00'])
  })

  test('a time at the end of the repeated hour is not in it', () => {
    for (const after of ['2026-11-01T04:00:00Z', '2026-11-01T05:45:00Z', '2026-11-01T06:59:59Z']) {
      expect(localTimes('0 2 * * *', { zone: NEW_YORK, after, count: 1 })).toEqual([
        '11-01T02:00-05:00',
      ])
    }
    expect(
      localTimes('0 1 * * *', { zone: NEW_YORK, after: '2026-11-01T05:30:00Z', count: 1 }),
    ).toEqual(['11-02T01:00-05:00'])
  })

  test('a walk that begins between the passes does not run it again', () => {
    // cron-parser 5.10.5 answers 01:30-05:00 here.
    expect(
      localTimes('30 1 * * *', { zone: NEW_YORK, after: '2026-11-01T05:45:00Z', count: 1 }),
    ).toEqual(['11-02T01:30-05:00'])
    expect(
      localTimes('30 1 * * *', { zone: NEW_YORK, after: '2026-11-01T06:15:00Z', count: 1 }),
    ).toEqual(['11-02T01:30-05:00'])
  })

  test('every hour of the clock runs in both passes', () => {
    expect(
      localTimes('30 * * * *', { zone: NEW_YORK, after: '2026-11-01T05:00:00Z', count: 3 }),
    ).toEqual(['11-01T01:30-04:00', '11-01T01:30-05:00', '11-01T02:30-05:00'])
  })
})

test('half an hour of change is handled as well as a whole one', () => {
  expect(
    localTimes('15 2 * * *', {
      zone: 'Australia/Lord_Howe',
      after: '2026-10-03T12:00:00Z',
      count: 2,
    }),
  ).toEqual(['10-04T02:30+11:00', '10-05T02:15+11:00'])
  expect(
    localTimes('45 1 * * *', {
      zone: 'Australia/Lord_Howe',
      after: '2026-04-04T12:00:00Z',
      count: 2,
    }),
  ).toEqual(['04-05T01:45+11:00', '04-06T01:45+10:30'])
})

test('a day that a zone left out runs when the next one begins', () => {
  // Samoa had no 30 December 2011.
  expect(
    localTimes('0 12 30 12 *', { zone: 'Pacific/Apia', after: '2011-12-01T00:00:00Z', count: 2 }),
  ).toEqual(['12-31T00:00+14:00', '12-30T12:00+14:00'])
})

test('the last minutes of a day that comes twice run twice, though the next day is far', () => {
  // Cuba puts the clock back from 1:00 to 0:00.
  expect(
    localTimes('30 * 1 11 *', { zone: 'America/Havana', after: '2026-11-01T04:00:00Z', count: 2 }),
  ).toEqual(['11-01T00:30-04:00', '11-01T00:30-05:00'])
})

describe('chosen policies', () => {
  const localOf = (expression: string, after: string, dst: Partial<DstPolicy>) =>
    localTimes(expression, { zone: NEW_YORK, after, count: 2, dst: DstPolicy.fromPartial(dst) })

  test.each([
    [DstPolicy_Gap.UNSPECIFIED, ['03-08T03:00-04:00', '03-09T02:30-04:00']],
    [DstPolicy_Gap.RUN_AFTER, ['03-08T03:00-04:00', '03-09T02:30-04:00']],
    [DstPolicy_Gap.SKIP, ['03-09T02:30-04:00', '03-10T02:30-04:00']],
    [DstPolicy_Gap.SHIFT, ['03-08T03:30-04:00', '03-09T02:30-04:00']],
  ])('gap %s', (gap, expected) => {
    expect(localOf('30 2 * * *', '2026-03-08T05:00:00Z', { gap })).toEqual(expected)
  })

  test.each([
    [DstPolicy_Fold.UNSPECIFIED, ['11-01T01:30-04:00', '11-02T01:30-05:00']],
    [DstPolicy_Fold.FIRST, ['11-01T01:30-04:00', '11-02T01:30-05:00']],
    [DstPolicy_Fold.LAST, ['11-01T01:30-05:00', '11-02T01:30-05:00']],
    [DstPolicy_Fold.BOTH, ['11-01T01:30-04:00', '11-01T01:30-05:00']],
  ])('fold %s', (fold, expected) => {
    expect(localOf('30 1 * * *', '2026-11-01T04:00:00Z', { fold })).toEqual(expected)
  })

  test('an interval in elapsed time is not touched by any', () => {
    const times = (dst: Partial<DstPolicy>, expression: string, after: string) =>
      localOf(expression, after, dst)
    for (const gap of [DstPolicy_Gap.RUN_AFTER, DstPolicy_Gap.SKIP, DstPolicy_Gap.SHIFT]) {
      expect(times({ gap }, '*/30 2 * * *', '2026-03-08T05:00:00Z')[0]).toBe('03-09T02:00-04:00')
    }
    for (const fold of [DstPolicy_Fold.FIRST, DstPolicy_Fold.LAST, DstPolicy_Fold.BOTH]) {
      const found = times({ fold }, '30 * * * *', '2026-11-01T05:00:00Z')
      expect(found).toEqual(['11-01T01:30-04:00', '11-01T01:30-05:00'])
    }
  })

  test('a time of day that is always in a gap is never due, and the search ends', () => {
    const dst = DstPolicy.fromPartial({ gap: DstPolicy_Gap.SKIP })
    const found = localTimes('30 2 * 3 0#2', { zone: NEW_YORK, after: '2026-01-01T00:00:00Z', dst })
    expect(found).toEqual([])
  })
})

test('what cron-parser 5.10.5 gets wrong in Lord Howe', () => {
  const zone = 'Australia/Lord_Howe'
  expect(
    localTimes('0 10-20/5 3 * * sun', { zone, after: '2026-10-03T00:00:00Z', count: 3 }),
  ).toEqual(['10-04T03:10+11:00', '10-04T03:15+11:00', '10-04T03:20+11:00'])
})

test('a day that is repeated, and an hour that is missing at midnight', () => {
  // Kwajalein had no 21 August 1993; Beirut goes from 23:59 to 1:00.
  expect(
    localTimes('0 12 * * *', {
      zone: 'Pacific/Kwajalein',
      after: '1993-08-21T01:00:00Z',
      count: 2,
    }),
  ).toEqual(['08-22T00:00+12:00', '08-22T12:00+12:00'])
  expect(
    localTimes('0 0 * * *', { zone: 'Asia/Beirut', after: '2026-03-28T12:00:00Z', count: 1 }),
  ).toEqual(['03-29T01:00+03:00'])
  // Dublin's winter time is the one that is not standard.
  expect(
    localTimes('30 1 * * *', { zone: 'Europe/Dublin', after: '2026-10-24T12:00:00Z', count: 2 }),
  ).toEqual(['10-25T01:30+01:00', '10-26T01:30+00:00'])
})

import { describe, expect, test } from 'vitest'
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { lintSchedule } from '../../../../shared/schedule/lint.ts'
import { findPileUp } from '../../../../shared/schedule/lint-pile-up.ts'

const NOW = new Date('2026-11-20T10:00:00Z')
const seconds = (text: string) => ({ seconds: text, nanos: 0 })

function lint(schedule: object | undefined): string[] {
  const written = schedule && Schedule.fromJSON(schedule)
  return lintSchedule('schedule', written, NOW).map((finding) => {
    expect(finding.hint).toMatch(/\S/)
    return `${finding.severity} ${finding.code} ${finding.field}`
  })
}

const cron = (...texts: readonly string[]) => ({
  recurrences: texts.map((text) => ({ cron: text })),
})

describe('lint', () => {
  test.each([
    [undefined, []],
    [cron('0 3 * * *'), []],
    [cron('H H * * *'), []],
    [{ recurrences: [{ every: seconds('300') }] }, []],
    // What is refused.
    [cron('0 0 31 2 *'), ['error CRON_INVALID schedule.recurrences[0].cron']],
    [cron('0 0 30 2,4 *'), []],
    [cron(), ['error FIELD_REQUIRED schedule.recurrences']],
    [{ recurrences: [{ at: '2020-01-01T00:00:00Z' }] }, ['error SCHEDULE_NEVER_RUNS schedule']],
    [
      { recurrences: [{ every: seconds('0') }] },
      ['error FIELD_INVALID schedule.recurrences[0].every'],
    ],
    [{ ...cron('@daily'), timeZone: 'Mars' }, ['error TIME_ZONE_INVALID schedule.time_zone']],
    // What surprises.
    [cron('0 0 13 * 5'), ['warning DAYS_COMBINED schedule.recurrences[0]']],
    [cron('0 0 31 * *'), ['warning DATE_MISSING schedule.recurrences[0]']],
    [
      { ...cron('30 2 * * *'), timeZone: 'Europe/Paris' },
      ['warning DST_GAP schedule.recurrences[0]', 'warning DST_FOLD schedule.recurrences[0]'],
    ],
    [{ ...cron('30 12 * * *'), timeZone: 'Europe/Paris' }, []],
    [cron('*/30 * * * * *'), ['warning SUB_MINUTE schedule.recurrences']],
    [{ recurrences: [{ every: seconds('10') }] }, ['warning SUB_MINUTE schedule.recurrences']],
    // What a union repeats: of two that are the same the later one, else the one that adds nothing.
    [cron('0 3 * * *', '0 3 * * *'), ['warning RECURRENCE_REPEATED schedule.recurrences[1]']],
    [cron('0 3 * * 1', '0 3 * * *'), ['warning RECURRENCE_REPEATED schedule.recurrences[0]']],
    [cron('0 3 * * 1', '0 3 * * 2'), []],
    [
      { recurrences: [{ cron: '*/5 * * * *' }, { text: 'hourly' }] },
      ['warning RECURRENCE_REPEATED schedule.recurrences[1]'],
    ],
  ])('of %j', (schedule, findings) => {
    expect(lint(schedule)).toEqual(findings)
  })
})

describe('a pile-up', () => {
  const many = (count: number, text: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => Schedule.fromJSON(cron(text(index))))

  test('is the minute in which most of many schedules are due', () => {
    const schedules = [...many(30, (index) => `${index} 5 * * *`), ...many(12, () => '0 0 * * *')]
    const pile = findPileUp([...schedules, undefined], NOW)
    expect(pile?.at).toEqual(new Date('2026-11-21T00:00:00Z'))
    expect(pile?.members).toEqual(Array.from({ length: 12 }, (_, index) => 30 + index))
  })

  test('is minute 0 of every hour, too', () => {
    const schedules = [...many(12, () => '0 * * * *'), ...many(6, () => '*/5 * * * *')]
    expect(findPileUp(schedules, NOW)?.at).toEqual(NOW)
  })

  test('is none when few are due together, or all of them every minute, or H spreads them', () => {
    expect(findPileUp([], NOW)).toBeUndefined()
    expect(
      findPileUp(
        many(9, () => '0 0 * * *'),
        NOW,
      ),
    ).toBeUndefined()
    expect(
      findPileUp(
        many(40, () => '* * * * * *'),
        NOW,
      ),
    ).toBeUndefined()
    expect(
      findPileUp(
        many(40, () => 'H H * * *'),
        NOW,
      ),
    ).toBeUndefined()
  })
})

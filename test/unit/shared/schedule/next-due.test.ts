import { expect, test } from 'vitest'
import { Schedule } from '../../../../proto/gen/rota/v1/job.ts'
import { nextDue } from '../../../../shared/schedule/next-due.ts'

const ANCHOR = new Date('2026-11-20T10:00:05Z')

type Kind = NonNullable<Schedule['recurrences'][number]['kind']>

function schedule(kinds: readonly Kind[], rest: Partial<Schedule> = {}): Schedule {
  return {
    ...Schedule.fromPartial({}),
    ...rest,
    recurrences: kinds.map((kind) => ({ kind, compiled: '' })),
  }
}

const cron = (value: string): Kind => ({ $case: 'cron', value })
const every = (seconds: bigint): Kind => ({ $case: 'every', value: { seconds, nanos: 0 } })
const at = (value: string): Kind => ({ $case: 'at', value: new Date(value) })

function next(of: Schedule, after: string): string | undefined {
  const due = nextDue({ schedule: of, after: new Date(after), seed: 'seed', anchor: ANCHOR })
  return due?.toISOString().replace('.000Z', 'Z')
}

test('a union is due when any of its recurrences is', () => {
  const union = schedule([cron('0 12 * * *'), every(3_600n), at('2026-11-20T11:30:00Z')])
  expect(next(union, '2026-11-20T10:30:00Z')).toBe('2026-11-20T11:00:05Z')
  expect(next(union, '2026-11-20T11:00:05Z')).toBe('2026-11-20T11:30:00Z')
  expect(next(union, '2026-11-20T11:30:00Z')).toBe('2026-11-20T12:00:00Z')
  expect(next(union, '2026-11-20T12:00:00Z')).toBe('2026-11-20T12:00:05Z')
})

test('a cron is read in the zone of the schedule, UTC by default', () => {
  const daily = schedule([cron('@daily')], { timeZone: 'Asia/Kolkata' })
  expect(next(daily, '2026-11-20T10:00:00Z')).toBe('2026-11-20T18:30:00Z')
  expect(next(schedule([cron('@daily')]), '2026-11-20T10:00:00Z')).toBe('2026-11-21T00:00:00Z')
})

test('a one-shot is due once', () => {
  const once = schedule([at('2026-11-20T12:00:00.250Z')])
  expect(next(once, '2026-11-20T10:00:00Z')).toBe('2026-11-20T12:00:00.250Z')
  expect(next(once, '2026-11-20T12:00:00.249Z')).toBe('2026-11-20T12:00:00.250Z')
  expect(next(once, '2026-11-20T12:00:00.250Z')).toBeUndefined()
})

test('@every counts from the anchor, as `every` does', () => {
  expect(next(schedule([cron('@every 10m')]), '2026-11-20T10:00:06Z')).toBe('2026-11-20T10:10:05Z')
  expect(next(schedule([every(600n)]), '2026-11-20T10:00:06Z')).toBe('2026-11-20T10:10:05Z')
})

test('the window includes both its ends', () => {
  const window = schedule([cron('0 * * * *')], {
    notBefore: new Date('2026-11-20T12:00:00Z'),
    notAfter: new Date('2026-11-20T13:00:00Z'),
  })
  expect(next(window, '2026-11-01T00:00:00Z')).toBe('2026-11-20T12:00:00Z')
  expect(next(window, '2026-11-20T12:00:00Z')).toBe('2026-11-20T13:00:00Z')
  expect(next(window, '2026-11-20T13:00:00Z')).toBeUndefined()
})

test('a schedule without recurrences, or with an interval of nothing, is never due', () => {
  expect(next(schedule([]), '2026-11-20T10:00:00Z')).toBeUndefined()
  expect(next(schedule([every(0n)]), '2026-11-20T10:00:00Z')).toBeUndefined()
  expect(
    next(schedule([{ $case: 'text', value: 'every day' }]), '2026-11-20T10:00:00Z'),
  ).toBeUndefined()
})

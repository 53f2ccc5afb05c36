import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Calendar, Weekday } from '../../../../proto/gen/rota/v1/calendar.ts'
import type {
  CreateCalendarRequest,
  ImportCalendarRequest,
  UpdateCalendarRequest,
} from '../../../../proto/gen/rota/v1/calendar_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import {
  type CliOptions,
  rota,
  type ScriptedServer,
  startScriptedServer,
} from '../../../support/cli.ts'

const holidays = Calendar.fromPartial({
  name: 'calendars/holidays',
  etag: '"3"',
  jobCount: 2,
  days: {
    dates: ['2027-03-26'],
    weekdays: [Weekday.SATURDAY, Weekday.SUNDAY],
    yearly: ['12-25'],
    spans: [
      { first: '2026-12-24', last: '2027-01-02' },
      { first: '2020-11-26', repeat: 'FREQ=YEARLY', except: ['2026-11-26'], summary: 'Thanks' },
    ],
  },
})

let server: ScriptedServer
let creates: CreateCalendarRequest[] = []
let updates: UpdateCalendarRequest[] = []
let imports: ImportCalendarRequest[] = []
let stored: Calendar[] = []

beforeAll(async () => {
  server = await startScriptedServer({
    createCalendar(request) {
      creates.push(request)
      return { calendar: holidays }
    },
    updateCalendar(request) {
      updates.push(request)
      return { calendar: holidays }
    },
    importCalendar(request) {
      imports.push(request)
      return { calendar: holidays, eventCount: 1 }
    },
    getCalendar: () => ({ calendar: holidays }),
    listCalendars: () => ({ calendars: stored, nextPageToken: '', totalSize: stored.length }),
    deleteCalendar() {
      throw new RotaError('CALENDAR_IN_USE', 'calendar holidays is used by report')
    },
  })
})

afterAll(() => server.stop())

beforeEach(() => {
  creates = []
  updates = []
  imports = []
  stored = [holidays]
})

const run = (argv: readonly string[], options: CliOptions = {}) =>
  rota(['calendar', ...argv], { dataDir: server.dataDir, ...options })

describe('rota calendar', () => {
  it('create sends the days that the options say', async () => {
    const { stdout } = await run([
      ...['create', 'holidays', '--date', '2027-03-26', '--weekday', 'sat', '--weekday', 'Sunday'],
      ...['--yearly', '12-25', '--range', '2026-12-24..2027-01-02', '--description', 'closed'],
    ])
    expect(stdout).toBe(
      'calendar holidays created (Sat, Sun; 1 date; 1 yearly day; 1 range; 1 rule)\n',
    )
    expect(creates[0]).toMatchObject({ calendarId: 'holidays', validateOnly: false })
    expect(creates[0]?.requestId).not.toBe('')
    expect(creates[0]?.calendar).toMatchObject({
      description: 'closed',
      days: {
        dates: ['2027-03-26'],
        weekdays: [Weekday.SATURDAY, Weekday.SUNDAY],
        yearly: ['12-25'],
        spans: [{ first: '2026-12-24', last: '2027-01-02' }],
      },
    })
  })

  it('update changes only what the options say', async () => {
    await run(['update', 'holidays', '--range', 'none', '--date', '2028-04-14', '--etag', '3'])
    expect(updates[0]?.updateMask).toEqual(['days.dates', 'days.spans'])
    expect(updates[0]?.calendar).toMatchObject({ name: 'calendars/holidays', etag: '"3"' })
    expect(updates[0]?.calendar?.days).toMatchObject({ dates: ['2028-04-14'], spans: [] })
    const nothing = await run(['update', 'holidays'])
    expect(nothing.exitCode).toBe(2)
    expect(nothing.stderr).toContain('nothing says what to change')
  })

  it.each([
    [['create', 'x', '--weekday', 'sonday'], 'Did you mean monday or sunday?'],
    [['create', 'x', '--weekday', 'su'], '--weekday: "su" is not known'],
    [['create', 'x', '--range', '2026-12-24'], 'Write its first and last day like'],
    [['import', '-'], '--name: is missing'],
    [['import', '/nonexistent.ics'], 'cannot be read (ENOENT)'],
  ])('%j is wrong usage', async (argv, message) => {
    const { exitCode, stderr } = await run(argv)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })

  it('import sends the file, named for it unless it is told otherwise', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-ics-'))
    const file = join(folder, 'Holidays.ics')
    writeFileSync(file, 'BEGIN:VCALENDAR')
    const { stdout } = await run(['import', file, '--keep'])
    rmSync(folder, { recursive: true })
    expect(stdout).toMatch(/^1 event read; calendar holidays has Sat, Sun;/)
    const expected = { name: 'calendars/holidays', ics: 'BEGIN:VCALENDAR', keep: true }
    expect(imports[0]).toMatchObject({ ...expected, validateOnly: false })
    await run(['import', '-', '--name', 'other', '--dry-run'], { stdin: 'BEGIN' })
    expect(imports[1]).toMatchObject({ name: 'calendars/other', ics: 'BEGIN', validateOnly: true })
  })

  it('get shows every kind of day', async () => {
    const { stdout } = await run(['get', 'holidays'], { columns: 80 })
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'calendar  holidays',
        'weekdays  Sat, Sun',
        'yearly    12-25',
        'dates     2027-03-26',
        'ranges    2026-12-24..2027-01-02',
        '          2020-11-26  FREQ=YEARLY  but 2026-11-26  Thanks',
        'used by   2 jobs',
      ]),
    )
    const json = await run(['get', 'holidays', '-o', 'json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      name: 'calendars/holidays',
      days: { weekdays: ['WEEKDAY_SATURDAY', 'WEEKDAY_SUNDAY'] },
    })
  })

  it('get leaves the rest of long lists to JSON', async () => {
    const dates = Array.from({ length: 40 }, (_, index) => `2027-01-${String(index)}`)
    const long = Calendar.fromPartial({ ...holidays, days: { dates } })
    const other = await startScriptedServer({ getCalendar: () => ({ calendar: long }) })
    const { stdout } = await rota(['calendar', 'get', 'x'], { dataDir: other.dataDir })
    await other.stop()
    expect(stdout).toContain('2027-01-29, ... and 10 more (-o json)')
  })

  it('list is a table that fits, and says what to do when there is none', async () => {
    const { stdout } = await run(['list'], { columns: 80 })
    expect(stdout.split('\n')[0]).toMatch(/^NAME {6}DAYS .*JOBS {2}UPDATED$/)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect((await run(['list', '-o', 'name'])).stdout).toBe('calendars/holidays\n')
    stored = []
    expect((await run(['list'])).stderr).toContain('No calendars yet.')
    expect((await run(['list', '--filter', 'name:x'])).stderr).toBe('No calendar matches.\n')
  })

  it('delete of one that is used is a conflict', async () => {
    const { exitCode, stderr } = await run(['delete', 'holidays'])
    expect(exitCode).toBe(5)
    expect(stderr).toContain('calendar holidays is used by report')
  })
})

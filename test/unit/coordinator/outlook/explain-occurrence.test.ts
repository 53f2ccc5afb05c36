import { describe, expect, test } from 'vitest'
import {
  explainOccurrence,
  type OccurrenceFacts,
} from '../../../../coordinator/outlook/explain-occurrence.ts'
import type {
  JobSwitch,
  LedgerEntry,
  VersionAt,
} from '../../../../coordinator/outlook/occurrence-facts-queries.ts'

const on = (time: string) => new Date(`2026-11-20T${time}Z`)
const AT = on('02:00:00')
const NOW = on('10:00:00')
const CREATED = new Date('2026-11-01T00:00:00Z')

function version(schedule: object | undefined, rest: Partial<VersionAt> = {}): VersionAt {
  const spec = schedule === undefined ? {} : { schedule }
  return { version: 3, created_at: CREATED, spec, replaced_at: null, ...rest }
}

const nightly = { recurrences: [{ cron: '0 2 * * *' }] }

function explain(facts: Partial<OccurrenceFacts>): string {
  const job = { uid: 'u', created_at: CREATED, state: 'active', pause_reason: '', marked_at: NOW }
  const { verdict, message } = explainOccurrence({
    at: AT,
    now: NOW,
    job,
    entry: undefined,
    version: version(nightly),
    switches: [],
    keptSince: CREATED,
    ...facts,
  })
  return `${verdict}: ${message}`
}

function entry(rest: Partial<LedgerEntry>): LedgerEntry {
  return {
    scheduled_for: AT,
    decided_at: on('02:00:01'),
    decision: 'enqueued',
    reason: 'on time',
    execution_id: null,
    state: null,
    reason_code: null,
    reason_message: null,
    settled_at: null,
    ...rest,
  }
}

describe('a due time that is in the ledger', () => {
  test.each([
    [
      { state: 'succeeded', settled_at: on('02:10:00') },
      'enqueued: It was due and enqueued: on time (decided at 2026-11-20T02:00:01Z); its execution succeeded at 2026-11-20T02:10:00Z.',
    ],
    [
      {
        state: 'failed',
        settled_at: on('02:10:00'),
        reason_code: 'EXIT_CODE',
        reason_message: 'exit code 3',
      },
      'enqueued: It was due and enqueued: on time (decided at 2026-11-20T02:00:01Z); its execution failed at 2026-11-20T02:10:00Z: exit code 3.',
    ],
    [
      { state: 'queued' },
      'enqueued: It was due and enqueued: on time (decided at 2026-11-20T02:00:01Z); its execution is queued by now, after 7h59m.',
    ],
    [
      {},
      'enqueued: It was due and enqueued: on time (decided at 2026-11-20T02:00:01Z); the history of its execution is not kept any more.',
    ],
    [
      { decision: 'coalesced', reason: '3m late; a newer due time stands for it' },
      'not_run: It was due and did not run, because it was folded into a newer due time: 3m late; a newer due time stands for it (decided at 2026-11-20T02:00:01Z).',
    ],
    [
      { decision: 'missed', reason: '2h late; nothing is caught up' },
      'not_run: It was due and did not run, because it was missed: 2h late; nothing is caught up (decided at 2026-11-20T02:00:01Z).',
    ],
    [
      { decision: 'skipped_overlap', reason: '' },
      'not_run: It was due and did not run, because an earlier run was still there (decided at 2026-11-20T02:00:01Z).',
    ],
    [
      { decision: 'skipped_calendar', reason: 'holidays' },
      'not_run: It was due and did not run, because a calendar excludes the day: holidays (decided at 2026-11-20T02:00:01Z).',
    ],
  ] satisfies [Partial<LedgerEntry>, string][])('%j', (of, message) => {
    expect(explain({ entry: entry(of) })).toBe(message)
  })
})

describe('a time that has no row', () => {
  test('is of before the job', () => {
    expect(explain({ version: undefined })).toBe(
      'before_creation: The job did not exist yet: it was created at 2026-11-01T00:00:00Z.',
    )
  })

  test('is of a version without a schedule', () => {
    expect(explain({ version: version(undefined) })).toMatch(
      /^no_schedule: Version 3, which was in force then, has no schedule/,
    )
  })

  test('is no due time of the version of then, which says what were', () => {
    expect(explain({ at: on('02:30:00') })).toBe(
      'not_due: It is no due time of version 3, which was in force then (every day at 02:00, UTC); the last before it is 2026-11-20T02:00:00Z, the first after it is 2026-11-21T02:00:00Z.',
    )
    const once = version({
      recurrences: [{ at: '2026-11-19T00:00:00Z' }],
      timeZone: 'Europe/Paris',
    })
    expect(explain({ version: once })).toBe(
      'not_due: It is no due time of version 3, which was in force then (once at 2026-11-19T00:00:00Z, Europe/Paris); the last before it is 2026-11-19T00:00:00Z.',
    )
  })

  test('is still to come', () => {
    const tomorrow = new Date('2026-11-21T02:00:00Z')
    expect(explain({ at: tomorrow })).toBe('future: It is still to come: it is due in 16h.')
    expect(explain({ at: new Date('2026-11-21T02:30:00Z') })).toBe(
      'future: It is still to come, in 16h30m, and is no due time of the schedule; it is next due at 2026-11-22T02:00:00Z.',
    )
    const job = {
      uid: 'u',
      created_at: CREATED,
      state: 'paused',
      pause_reason: 'disk',
      marked_at: null,
    }
    expect(explain({ at: tomorrow, job })).toBe(
      'future: It is still to come, in 16h, but the job is paused: disk; as it is now it will not be due.',
    )
  })

  test('is older than the ledger', () => {
    expect(explain({ keptSince: new Date('2026-11-20T12:00:00Z') })).toBe(
      'forgotten: It was due by version 3, but the ledger is kept since 2026-11-20T12:00:00Z only.',
    )
  })

  test('was not decided, because the job was paused', () => {
    const paused: JobSwitch = {
      change: 'paused',
      happened_at: on('01:00:00'),
      actor: 'token:ann',
      message: 'disk is full',
    }
    expect(explain({ switches: [paused] })).toBe(
      'not_decided: It was due by version 3, but the job had been paused at 2026-11-20T01:00:00Z by token:ann: disk is full.',
    )
    expect(explain({ switches: [{ ...paused, change: 'resumed' }] })).not.toContain('paused')
  })

  test('was not decided, because a change or a resume moved the mark over it', () => {
    const replaced = version(nightly, { replaced_at: on('02:00:03') })
    expect(explain({ version: replaced })).toContain(
      'before it was decided the next version was saved, at 2026-11-20T02:00:03Z; a change makes up for nothing',
    )
    const resumed: JobSwitch = {
      change: 'resumed',
      happened_at: on('02:00:02'),
      actor: '',
      message: '',
    }
    expect(explain({ version: replaced, switches: [resumed] })).toContain(
      'before it was decided the job was resumed, at 2026-11-20T02:00:02Z',
    )
    expect(explain({})).toContain('nothing was decided')
  })

  test('is about to be decided', () => {
    const job = {
      uid: 'u',
      created_at: CREATED,
      state: 'active',
      pause_reason: '',
      marked_at: on('01:59:00'),
    }
    expect(explain({ job, now: on('02:00:02') })).toBe(
      'not_decided: It was due by version 3, 2s ago, and is about to be decided.',
    )
  })
})

test('the due times around are those of the schedule, however seldom or often it is due', () => {
  for (const [cron, previous, next] of [
    ['0 0 29 2 *', undefined, '2028-02-29T00:00:00.000Z'],
    ['* * * * * *', '2026-11-20T01:59:59.000Z', '2026-11-20T02:00:01.000Z'],
    ['0 0 1 1 *', '2026-01-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ] as const) {
    const explained = explainOccurrence({
      ...{ at: AT, now: NOW, entry: undefined, switches: [], keptSince: undefined },
      job: { uid: 'u', created_at: CREATED, state: 'active', pause_reason: '', marked_at: NOW },
      version: version({ recurrences: [{ cron }] }),
    })
    expect(explained.next?.toISOString()).toBe(next)
    if (previous !== undefined) expect(explained.previous?.toISOString()).toBe(previous)
    else expect(explained.previous?.toISOString()).toBe('2024-02-29T00:00:00.000Z')
  }
})

import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { JobState } from '../../proto/gen/rota/v1/job.ts'
import type {
  WatchEventsRequest,
  WatchEventsResponse,
} from '../../proto/gen/rota/v1/system_service.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'
import { type WatchedEvents, watchEvents } from '../support/watched-events.ts'

/** Two on one database; the agent is connected to the first. */
let rota: TestCoordinator
let other: TestCoordinator
const open: WatchedEvents[] = []

beforeAll(async () => {
  rota = await startTestCoordinator()
  other = await startTestCoordinator([], { database: rota.database })
  await rota.addAgent('worker-1')
})

afterEach(() => {
  for (const stream of open.splice(0)) stream.stop()
})

afterAll(async () => {
  await other.remove()
  await rota.remove()
})

async function watch(
  through: TestCoordinator,
  request: Partial<WatchEventsRequest> = {},
): Promise<WatchedEvents> {
  const stream = await watchEvents(through, request)
  open.push(stream)
  return stream
}

function ended(name: string) {
  return ({ event }: WatchEventsResponse) =>
    event?.$case === 'execution' && event.value.name === name && event.value.endTime !== undefined
      ? event.value
      : undefined
}

function job(name: string, state: JobState = JobState.ACTIVE) {
  return ({ event }: WatchEventsResponse) =>
    event?.$case === 'job' && event.value.name === `jobs/${name}` && event.value.state === state
      ? event.value
      : undefined
}

function kinds(stream: WatchedEvents): (string | undefined)[] {
  return stream.messages.map(({ event }) => event?.$case)
}

/** Tokens of what happened: each is of one event. */
function tokens(stream: WatchedEvents): string[] {
  return stream.messages
    .filter(({ event }) => event?.$case !== 'keepalive')
    .map(({ resumeToken }) => resumeToken)
}

describe('the stream of changes', () => {
  test('begins with a position, and shows what happens through any coordinator', async () => {
    const streams = [await watch(rota), await watch(other)]
    expect(streams.map(kinds)).toEqual([['keepalive'], ['keepalive']])
    await rota.createJob('shown', shell('true'))
    const { name } = await other.trigger('shown')
    for (const stream of streams) {
      await stream.next('the job', job('shown'))
      const execution = await stream.next('its end', ended(name))
      expect(execution).toMatchObject({
        job: 'jobs/shown',
        state: ExecutionState.SUCCEEDED,
        attempts: [{ number: 1, worker: 'workers/worker-1' }],
      })
      expect(stream.messages.every(({ resumeToken }) => resumeToken !== '')).toBe(true)
    }
  })

  test('carries jobs as they are, and the names of those that are gone', async () => {
    const stream = await watch(other, { filter: 'resource = "jobs/short-lived"' })
    const name = 'jobs/short-lived'
    await rota.createJob('short-lived', shell('true'))
    await stream.next('it is created', job('short-lived'))
    await rota.jobs.pauseJob({ name, reason: 'lunch' })
    const paused = await stream.next('it is paused', job('short-lived', JobState.PAUSED))
    expect(paused.pauseReason).toBe('lunch')
    await rota.jobs.deleteJob({ name })
    await stream.next('it is deleted', ({ event }) =>
      event?.$case === 'deletedName' && event.value === name ? true : undefined,
    )
    expect(kinds(stream)).toEqual(['keepalive', 'job', 'job', 'deletedName'])
  })

  test('carries workers that join and connect', async () => {
    const stream = await watch(other, { filter: 'type = WORKER' })
    const agent = await rota.addAgent('worker-2')
    await stream.next('it is connected', ({ event }) =>
      event?.$case === 'worker' && event.value.connectTime !== undefined ? true : undefined,
    )
    expect(new Set(kinds(stream))).toEqual(new Set(['keepalive', 'worker']))
    await agent.stop()
  })

  test('shows only what the filter wants', async () => {
    await rota.createJob('wanted', shell('true'))
    await rota.createJob('unwanted', shell('true'))
    const stream = await watch(rota, { filter: 'job = wanted AND state = SUCCEEDED' })
    await rota.ended((await rota.trigger('unwanted')).name)
    const { name } = await rota.trigger('wanted')
    await stream.next('its end', ended(name))
    expect(kinds(stream)).toEqual(['keepalive', 'execution'])
  })

  test('goes on behind a token through another coordinator: nothing is missed, nothing comes twice', async () => {
    await rota.createJob('resumed', shell('true'))
    const filter = 'job = resumed AND type = EXECUTION'
    const seen: string[] = []
    const names: string[] = []
    let token = (await watch(rota)).token()
    for (const through of [rota, other, rota, other]) {
      const stream = await watch(through, { filter, resumeToken: token })
      for (let n = 0; n < 3; n++) names.push((await rota.trigger('resumed')).name)
      // Left in the middle of what it brings.
      await stream.next('something', ended(names.at(-3)!))
      stream.stop()
      seen.push(...tokens(stream))
      token = stream.token()
    }
    const last = await watch(other, { filter, resumeToken: token })
    // The last state of each has come in one of the streams.
    await Promise.all(names.map(async (name) => rota.ended(name)))
    const marker = (await rota.trigger('resumed')).name
    await last.next('everything before has come', ended(marker))
    seen.push(...tokens(last))
    expect(new Set(seen).size).toBe(seen.length)
    const ends = open
      .flatMap(({ messages }) => messages)
      .map(({ event }) => event?.$case === 'execution' && event.value.endTime && event.value.name)
    expect(new Set(ends.filter(Boolean))).toEqual(new Set([...names, marker]))
  })

  test.each([
    [{ filter: 'type = ROW' }, 'FILTER_INVALID'],
    [{ filter: 'owner = me' }, 'FILTER_INVALID'],
    [{ resumeToken: 'made-up' }, 'FIELD_INVALID'],
  ])('asked for with %j is refused', async (request, reason) => {
    await expect(watchEvents(rota, request)).rejects.toMatchObject({ reason })
  })
})

describe('a gap', () => {
  test('is said when the event of a token is gone', async () => {
    await rota.createJob('forgotten', shell('true'))
    const before = await watch(rota)
    await rota.jobs.pauseJob({ name: 'jobs/forgotten' })
    await before.next('the pause', job('forgotten', JobState.PAUSED))
    const resumeToken = before.token()
    await sql`delete from rota.event where job_id = (select id from rota.job where name = 'forgotten')`.execute(
      rota.db,
    )
    const stream = await watch(other, { resumeToken })
    expect(kinds(stream)).toEqual(['gap'])
    await rota.jobs.resumeJob({ name: 'jobs/forgotten' })
    await stream.next('what happens from now on', job('forgotten'))
    // The token that came with the gap is good.
    expect(
      kinds(await watch(rota, { resumeToken: stream.messages[0]!.resumeToken })),
    ).not.toContain('gap')
  })

  test('is said when the database has gone back, and its numbers mean other events', async () => {
    await rota.createJob('rewound', shell('true'))
    const before = await watch(rota)
    await rota.jobs.pauseJob({ name: 'jobs/rewound' })
    await before.next('the pause', job('rewound', JobState.PAUSED))
    await sql`update rota.event set happened_at = happened_at + interval '1 millisecond'
      where job_id = (select id from rota.job where name = 'rewound')`.execute(rota.db)
    const stream = await watch(other, { resumeToken: before.token() })
    expect(kinds(stream)).toEqual(['gap'])
  })

  test('is said to those who watch when it happens', async () => {
    await rota.createJob('emptied', shell('true'))
    const streams = [await watch(rota), await watch(other)]
    await sql`truncate rota.event`.execute(rota.db)
    for (const stream of streams) {
      await stream.next('the gap', ({ event }) => (event?.$case === 'gap' ? true : undefined))
    }
    await rota.jobs.pauseJob({ name: 'jobs/emptied' })
    for (const stream of streams) {
      await stream.next('what happens after', job('emptied', JobState.PAUSED))
    }
  })
})

test('a client that does not read is not queued for: it gets the newest state when it does', async () => {
  const name = 'jobs/large'
  // More than the 16 messages that a stream of Node takes on either side.
  const rounds = 80
  await rota.createJob('large', shell('true'))
  await sql`update rota.job set description = ${'x'.repeat(200_000)} where name = 'large'`.execute(
    rota.db,
  )
  const filter = 'resource = "jobs/large"'
  const slow = await watch(rota, { filter })
  slow.pause()
  const quick = await watch(rota, { filter })
  const etags = (stream: WatchedEvents) =>
    stream.messages.flatMap(({ event }) => (event?.$case === 'job' ? [event.value.etag] : []))
  let etag: string | undefined
  for (let round = 0; round < rounds; round++) {
    await rota.jobs.pauseJob({ name })
    etag = (await rota.jobs.resumeJob({ name })).job?.etag
    await quick.next(
      'each change for whoever reads',
      () => etags(quick).includes(etag!) || undefined,
    )
  }
  slow.resume()
  await slow.next('the last change', () => etags(slow).includes(etag!) || undefined)
  expect(etags(quick).length).toBeGreaterThanOrEqual(rounds)
  // What the connection held, and then one page with the newest state.
  expect(etags(slow).length).toBeLessThan(rounds - 20)
})

test('watchers are sent away when their coordinator stops, and go on where they were', async () => {
  await rota.createJob('stopping', shell('true'))
  const filter = 'job = stopping'
  const stream = await watch(other, { filter })
  await other.stop()
  expect(await stream.ended).toMatchObject({ reason: 'SHUTTING_DOWN' })
  await rota.jobs.pauseJob({ name: 'jobs/stopping' })
  const next = await watch(rota, { filter, resumeToken: stream.token() })
  await next.next('what happened meanwhile', job('stopping', JobState.PAUSED))
  expect(kinds(next)).not.toContain('gap')
  await other.start()
  const back = await watch(other, { filter, resumeToken: next.token() })
  await rota.jobs.resumeJob({ name: 'jobs/stopping' })
  await until('it is shown again', () => back.messages.some((message) => job('stopping')(message)))
})

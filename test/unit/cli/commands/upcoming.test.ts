import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type ListUpcomingRunsRequest,
  ListUpcomingRunsResponse,
  UpcomingDensity,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import { durationFromMs } from '../../../../shared/duration.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

let server: ScriptedServer
let requests: ListUpcomingRunsRequest[]
let answers: ListUpcomingRunsResponse[]

beforeAll(async () => {
  server = await startScriptedServer({
    listUpcomingRuns(request) {
      requests.push(request)
      return answers[requests.length - 1] ?? ListUpcomingRunsResponse.fromPartial({})
    },
  })
})
afterAll(async () => server.stop())
beforeEach(() => {
  requests = []
  answers = []
})

const run = (args: readonly string[], columns?: number) =>
  rota(args, { dataDir: server.dataDir, ...(columns === undefined ? {} : { columns }) })

function page(times: readonly string[], rest: object = {}): ListUpcomingRunsResponse {
  const upcomingRuns = times.map((time, index) => ({
    job: `jobs/job-${index}`,
    scheduleTime: new Date(time),
    expectedDuration: index === 0 ? durationFromMs(90_000) : undefined,
    slotCount: index + 1,
  }))
  return ListUpcomingRunsResponse.fromPartial({ upcomingRuns, ...rest })
}

describe('rota upcoming', () => {
  it('lists what is due, with how long it takes and what of', async () => {
    answers = [page(['2100-01-01T00:00:00Z', '2100-01-01T00:00:00Z'])]
    const { stdout, exitCode } = await run(['upcoming'])
    expect(exitCode).toBe(0)
    const [title, first, second] = stdout.split('\n')
    expect(title).toMatch(/^DUE +IN +JOB +TAKES +SLOTS$/)
    expect(first).toMatch(/^2100-01-01T00:00:00Z +\d+d +job-0 +1m30s +1$/)
    expect(second).toMatch(/^2100-01-01T00:00:00Z +\d+d +job-1 +- +2$/)
  })

  it('looks ahead for a day, or as far as it is told, also of one job', async () => {
    await run(['upcoming'])
    await run(['upcoming', '--within', '2h', '--job', 'nightly', '--filter', 'tags:x'])
    await run(['job', 'upcoming', 'nightly', '--within', '7d'])
    const ahead = requests.map(({ endTime }) =>
      Math.round((endTime!.getTime() - Date.now()) / 60_000),
    )
    expect(ahead).toEqual([1_440, 120, 10_080])
    expect(requests.map(({ job }) => job)).toEqual(['', 'jobs/nightly', 'jobs/nightly'])
    expect(requests[1]?.filter).toBe('tags:x')
  })

  it('fetches page by page within one window, and says when there is more', async () => {
    const more = { nextPageToken: 'x' }
    answers = [page(['2100-01-01T00:00:00Z'], more), page(['2100-01-01T00:00:00Z'], more)]
    const { stderr } = await run(['upcoming', '--limit', '2'])
    expect(stderr).toBe('2 shown. More with --limit N or --all.\n')
    expect(requests.map(({ pageToken }) => pageToken)).toEqual(['', 'x'])
    expect(requests[0]?.endTime).toEqual(requests[1]?.endTime)
  })

  it('says when nothing is due, and when there are more schedules than one answer looks at', async () => {
    expect((await run(['upcoming'])).stderr).toBe('Nothing is due.\n')
    const completeUntil = new Date('2100-01-01T00:00:00Z')
    answers = [page([]), page([], { truncatedScheduleCount: 7, completeUntil })]
    expect((await run(['upcoming'])).stderr).toContain(
      '7 more schedules than one answer looks at: runs after 2100-01-01T00:00:00Z are missing.',
    )
  })

  it('prints the answer of the API as JSON, and refuses what is no span of time', async () => {
    answers = [page(['2100-01-01T00:00:00Z'])]
    const { stdout } = await run(['upcoming', '-o', 'json'])
    expect(JSON.parse(stdout).upcomingRuns).toEqual([
      {
        job: 'jobs/job-0',
        scheduleTime: '2100-01-01T00:00:00Z',
        expectedDuration: '90s',
        slotCount: 1,
      },
    ])
    expect((await run(['upcoming', '--within', 'tomorrow'])).exitCode).toBe(2)
  })
})

describe('rota upcoming --density', () => {
  const density = UpcomingDensity.fromPartial({
    bucket: durationFromMs(1_800_000),
    buckets: [
      { startTime: new Date('2026-11-29T23:00:00Z'), runCount: 1200n, expectedSlots: 12.34 },
      { startTime: new Date('2026-11-29T23:30:00Z'), runCount: 0n, expectedSlots: 0.05 },
      { startTime: new Date('2026-11-30T00:00:00Z'), runCount: 1n, expectedSlots: 0 },
      { startTime: new Date('2026-11-30T00:30:00Z'), runCount: 600n, expectedSlots: 1 },
    ],
    jobCount: 3,
    unknownDurationJobCount: 2,
    availableSlotCount: 48,
    truncatedScheduleCount: 1,
    countedUntil: new Date('2026-11-30T00:45:00Z'),
  })

  it('draws bars that fit 80 columns, and sums them up', async () => {
    answers = [page([], { density })]
    const { stdout } = await run(['upcoming', '--density', '--bucket', '30m'], 80)
    expect(requests[0]).toMatchObject({
      withDensity: true,
      pageSize: 1,
      bucket: durationFromMs(1_800_000),
    })
    const plain = stripVTControlCharacters(stdout)
    expect(plain).toBe(
      [
        'BEGINS (UTC)      RUNS  SLOTS',
        `2026-11-29 23:00  1200   12.3  ${'█'.repeat(49)}`,
        '           23:30     0   <0.1',
        '2026-11-30 00:00     1      -  ▏',
        `           00:30   600    1.0  ${'█'.repeat(24)}▌`,
        '',
        '1801 runs of 3 jobs, 30m a bar; 12.3 slots in use at most, of 48 that are',
        'connected.',
        'Of 2 jobs nothing is known yet of how long they take: they are not in SLOTS.',
        'Counted up to 2026-11-30T00:45:00Z: 1 schedules have more after it. Use --filter',
        'or a shorter --within.',
        '',
      ].join('\n'),
    )
    expect(plain.split('\n').every((line) => line.length <= 80)).toBe(true)
  })

  it('prints all of it as JSON', async () => {
    answers = [page([], { density })]
    const { stdout } = await run(['upcoming', '--density', '-o', 'json'])
    expect(JSON.parse(stdout).density).toMatchObject({ bucket: '1800s', jobCount: 3 })
  })
})

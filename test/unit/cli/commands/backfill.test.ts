import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ListExecutionsRequest } from '../../../../proto/gen/rota/v1/execution_service.ts'
import type { BackfillJobRequest } from '../../../../proto/gen/rota/v1/job_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const ID = '0198c5d2-7a1b-7000-8000-000000000001'
const CREATED = new Date('2026-11-20T10:00:00Z')

let server: ScriptedServer
let asked: BackfillJobRequest[]
let listed: ListExecutionsRequest[]
let answer: { dueTimes: Date[]; succeeded: number; live: number }
/** How many have succeeded and how many have ended otherwise, poll by poll. */
let counts: [number, number][]

beforeAll(async () => {
  server = await startScriptedServer({
    backfillJob(request) {
      asked.push(request)
      if (request.name === 'jobs/by-hand')
        throw new RotaError('JOB_WITHOUT_SCHEDULE', 'job by-hand has no schedule')
      const { dueTimes, succeeded, live } = answer
      return {
        executions: request.validateOnly ? [] : dueTimes.map(() => `executions/${ID}`),
        scheduleTimes: dueTimes,
        succeededCount: succeeded,
        liveCount: live,
      }
    },
    getExecution: () => ({ execution: { ...EXECUTION, createTime: CREATED } }),
    listExecutions(request) {
      listed.push(request)
      const isSuccess = request.filter.includes('(state = SUCCEEDED)')
      const [succeeded, other] = counts[0] ?? [0, 0]
      if (!isSuccess && counts.length > 1) counts.shift()
      const totalSize = isSuccess ? succeeded : other
      return { executions: [], nextPageToken: '', totalSize }
    },
  })
})
afterAll(() => server.stop())
beforeEach(() => {
  asked = []
  listed = []
  counts = []
  answer = { dueTimes: due(3), succeeded: 0, live: 0 }
})

const EXECUTION = {
  name: `executions/${ID}`,
  job: 'jobs/report',
  jobVersion: 1,
  state: 2 as const,
  reason: undefined,
  trigger: 6 as const,
  priority: 50,
  attempts: [],
  maxAttempts: 1,
  progress: 0,
  parent: '',
  step: '',
  replayOf: '',
  requestedBy: 'token:admin',
}

const due = (count: number) =>
  Array.from({ length: count }, (_, n) => new Date(CREATED.getTime() - (count - n) * 3_600_000))

const run = (...argv: string[]) => rota(['job', 'backfill', ...argv], { dataDir: server.dataDir })

describe('job backfill', () => {
  it('asks what it would do, does it, and says how to follow it', async () => {
    const range = ['--from', '2026-11-20T06:00:00Z', '--to', '2026-11-20T10:00:00Z']
    const { exitCode, stdout, stderr } = await run('report', ...range)
    expect(exitCode).toBe(0)
    expect(stdout).toBe('backfill of report made 3 executions\n')
    expect(stderr).toContain(
      `rota job history report --filter 'trigger = BACKFILL AND scheduled_for >= "2026-11-20T06:00:00.000Z"'`,
    )
    expect(asked).toMatchObject([
      { validateOnly: true, maxParallel: 1, includeSucceeded: false },
      {
        name: 'jobs/report',
        validateOnly: false,
        startTime: new Date('2026-11-20T06:00:00Z'),
        endTime: new Date('2026-11-20T10:00:00Z'),
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    ])
  })

  it('shows with --dry-run which due times it would run, and runs none', async () => {
    answer = { dueTimes: due(22), succeeded: 2, live: 1 }
    const { stdout } = await run('report', '--from', '30h ago', '--dry-run')
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toBe(
      'backfill of report would make 22 executions (left out: 2 succeeded already, 1 have not ended yet)',
    )
    expect(lines).toHaveLength(22)
    expect(lines[1]).toMatch(/^ {2}2026-11-19T12:00:00Z \(/)
    expect(lines.at(-1)).toBe('  and 2 more')
    expect(asked.map(({ validateOnly }) => validateOnly)).toEqual([true])
  })

  it('takes times ago, now, and how many at once', async () => {
    await run('report', '--from', '7d ago', '--to', '1h ago', '--max-parallel', 'all')
    await run('report', '--from', '2h', '--max-parallel', '4', '--include-succeeded')
    const [, week, , hours] = asked
    expect(week).toMatchObject({ maxParallel: 10_000 })
    expect(week!.endTime!.getTime() - week!.startTime!.getTime()).toBe((7 * 24 - 1) * 3_600_000)
    expect(hours).toMatchObject({ maxParallel: 4, includeSucceeded: true })
  })

  it('waits with progress; 0 when all have succeeded, 10 when not', async () => {
    counts = [
      [0, 0],
      [1, 0],
      [3, 0],
    ]
    const good = await run('report', '--from', '4h ago', '--wait')
    expect(good.exitCode).toBe(0)
    expect(good.stderr.trimEnd().split('\n')).toEqual([
      '0 of 3 have ended',
      '1 of 3 have ended',
      '3 of 3 have ended',
    ])
    expect(listed[0]).toMatchObject({
      job: 'jobs/report',
      filter: expect.stringContaining('create_time >= "2026-11-20T10:00:00.000Z"'),
    })
    counts = [[2, 1]]
    const bad = await run('report', '--from', '4h ago', '--wait')
    expect(bad.exitCode).toBe(10)
    expect(bad.stderr).toContain('3 of 3 have ended, 1 did not succeed')
  })

  it('has nothing to wait for when nothing is left to run', async () => {
    answer = { dueTimes: [], succeeded: 3, live: 0 }
    const { exitCode, stdout } = await run('report', '--from', '4h ago', '--wait')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'backfill of report made 0 executions (left out: 3 succeeded already)\n',
    })
  })

  it('is exactly the answer of the API with -o json', async () => {
    const { stdout } = await run('report', '--from', '4h ago', '-o', 'json')
    expect(JSON.parse(stdout)).toMatchObject({
      executions: [`executions/${ID}`, `executions/${ID}`, `executions/${ID}`],
      scheduleTimes: ['2026-11-20T07:00:00Z', '2026-11-20T08:00:00Z', '2026-11-20T09:00:00Z'],
    })
  })

  it.each([
    [[], '--from: is missing'],
    [['--from', 'yesterday'], '--from: "yesterday" is not a time'],
    [['--from', '4h ago', '--max-parallel', '0'], '--max-parallel: "0" is not allowed'],
  ])('refuses %j', async (argv, message) => {
    const { exitCode, stderr } = await run('report', ...argv)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
  })

  it('ends with 5 when the job has no due times', async () => {
    expect((await run('by-hand', '--from', '4h ago')).exitCode).toBe(5)
  })
})

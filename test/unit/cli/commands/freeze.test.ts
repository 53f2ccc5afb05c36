import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type CreateFreezeRequest,
  Freeze,
  Freeze_After,
  Freeze_State,
} from '../../../../proto/gen/rota/v1/freeze_service.ts'
import { Job, JobState } from '../../../../proto/gen/rota/v1/job.ts'
import {
  type PauseJobRequest,
  type SkipJobRequest,
  SkipJobResponse,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import {
  type CliOptions,
  rota,
  type ScriptedServer,
  startScriptedServer,
} from '../../../support/cli.ts'

const freeze = Freeze.fromPartial({
  name: 'freezes/year-end',
  reason: 'books close',
  owner: 'token:admin',
  jobPrefix: 'billing.',
  startTime: new Date('2026-12-30T18:00:00Z'),
  endTime: new Date('2027-01-02T06:00:00Z'),
  after: Freeze_After.RUN_ONCE,
  includeManual: true,
  state: Freeze_State.PENDING,
  skippedCount: 12,
  executionCount: 3,
})

let server: ScriptedServer
let creates: CreateFreezeRequest[] = []
let skips: SkipJobRequest[] = []
let pauses: PauseJobRequest[] = []
let stored: Freeze[] = []

beforeAll(async () => {
  server = await startScriptedServer({
    createFreeze(request) {
      creates.push(request)
      return { freeze }
    },
    endFreeze: () => ({ freeze: { ...freeze, state: Freeze_State.ENDING } }),
    deleteFreeze: () => ({}),
    getFreeze: () => ({ freeze }),
    listFreezes: () => ({ freezes: stored, nextPageToken: '', totalSize: stored.length }),
    pauseJob(request) {
      pauses.push(request)
      const { resumeTime } = request
      return { job: Job.fromPartial({ name: 'jobs/x', state: JobState.PAUSED, resumeTime }) }
    },
    skipJob(request) {
      skips.push(request)
      return SkipJobResponse.fromPartial({
        job: { name: 'jobs/x', nextFireTime: new Date('2100-01-01T02:00:00Z') },
        skippedTimes: request.undo
          ? []
          : Array.from({ length: request.count || 1 }, (_, index) => new Date(index * 60_000)),
      })
    },
  })
})

afterAll(() => server.stop())

beforeEach(() => {
  creates = []
  skips = []
  pauses = []
  stored = [freeze]
})

const run = (argv: readonly string[], options: CliOptions = {}) =>
  rota(argv, { dataDir: server.dataDir, ...options })

describe('rota freeze', () => {
  it('create sends its window, its scope and what comes after', async () => {
    const { stdout } = await run([
      ...['freeze', 'create', 'year-end', '--from', '2026-12-30T18:00:00Z'],
      ...['--until', '2027-01-02T06:00:00Z', '--jobs', 'billing.', '--selector', 'team = pay'],
      ...['--after', 'run-once', '--include-manual', '--reason', 'books close'],
    ])
    expect(stdout).toBe(
      'freeze year-end created (billing.*, from 2026-12-30T18:00:00Z until 2027-01-02T06:00:00Z)\n',
    )
    expect(creates[0]).toMatchObject({
      freezeId: 'year-end',
      validateOnly: false,
      freeze: {
        startTime: freeze.startTime,
        endTime: freeze.endTime,
        jobPrefix: 'billing.',
        selector: 'team = pay',
        after: Freeze_After.RUN_ONCE,
        includeManual: true,
        reason: 'books close',
      },
    })
  })

  it('create needs an end, and begins now by itself', async () => {
    const endless = await run(['freeze', 'create', 'x'])
    expect(endless.exitCode).toBe(2)
    expect(endless.stderr).toContain('--until: is missing')
    await run(['freeze', 'create', 'x', '--until', 'in 2h', '--dry-run'])
    const inTwoHours = Date.now() + 7_200_000
    expect(creates[0]?.validateOnly).toBe(true)
    expect(creates[0]?.freeze?.startTime).toBeUndefined()
    expect(Math.abs(creates[0]!.freeze!.endTime!.getTime() - inTwoHours)).toBeLessThan(60_000)
    const wrong = await run(['freeze', 'create', 'x', '--until', 'in 2h', '--after', 'run-twice'])
    expect(wrong.stderr).toContain('Known are skip, run-once, run-all.')
  })

  it('get shows all of it', async () => {
    const { stdout } = await run(['freeze', 'get', 'year-end'])
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining([
        'freeze        year-end',
        'state         pending',
        'jobs          billing.*',
        'by hand       refused, too',
        'after         run_once',
        'skipped       12 due times',
        'run after it  3 of them',
      ]),
    )
  })

  it('list is a table that fits; without scope it is about all jobs', async () => {
    stored = [freeze, Freeze.fromPartial({ name: 'freezes/all', state: Freeze_State.ACTIVE })]
    const { stdout } = await run(['freeze', 'list'], { columns: 80 })
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    expect(stdout).toMatch(/^all\s+active\s+all jobs/m)
    stored = []
    expect((await run(['freeze', 'list'])).stderr).toContain('No freezes.')
  })

  it('end and delete say what they did', async () => {
    expect((await run(['freeze', 'end', 'year-end'])).stdout).toMatch(/^freeze year-end ended/)
    expect((await run(['freeze', 'delete', 'year-end'])).stdout).toBe('freeze year-end deleted\n')
  })
})

describe('rota job', () => {
  it('skip tells which times are skipped and what comes then', async () => {
    const one = await run(['job', 'skip', 'x', '--reason', 'away'])
    expect(one.stdout).toMatch(
      /^job x skips 1970-01-01T00:00:00Z; next run in \d+d, 2100-01-01T02:00:00Z\n$/,
    )
    expect(skips[0]).toEqual({ name: 'jobs/x', count: 0, reason: 'away', undo: false })
    const many = await run(['job', 'skip', 'x', '--count', '12'])
    expect(many.stdout).toContain('1970-01-01T00:09:00Z and 2 more; next run')
    const undone = await run(['job', 'skip', 'x', '--undo'])
    expect(undone.stdout).toMatch(/^job x skips no run; next run/)
    expect(skips[2]?.undo).toBe(true)
  })

  it.each([
    [['--undo', '--count', '2'], '--undo: takes no --count'],
    [['--count', '0'], '--count: "0" is not allowed'],
  ])('skip %j is wrong usage', async (argv, message) => {
    const { exitCode, stderr } = await run(['job', 'skip', 'x', ...argv])
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
    expect(skips).toEqual([])
  })

  it('pause --until says when it goes on', async () => {
    const { stdout } = await run(['job', 'pause', 'x', '--until', '2100-01-01T00:00:00Z'])
    expect(pauses[0]?.resumeTime).toEqual(new Date('2100-01-01T00:00:00Z'))
    expect(stdout).toMatch(/its schedule is paused until 2100-01-01T00:00:00Z \(in \d+d\)\n$/)
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Job } from '../../../../proto/gen/rota/v1/job.ts'
import { ScheduleImpact } from '../../../../proto/gen/rota/v1/job_service.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const job = Job.fromPartial({
  name: 'jobs/backup',
  spec: { task: Job.fromJSON({ spec: { task: { shell: { command: 'date' } } } }).spec?.task },
})
const day = (number: number, time: string) => new Date(`2026-11-${20 + number}T${time}Z`)
const impact = ScheduleImpact.fromPartial({
  nextBefore: [day(1, '02:00:00'), day(2, '02:00:00'), day(3, '02:00:00'), day(4, '02:00:00')],
  nextAfter: [
    { scheduleTime: day(1, '01:30:00'), otherJobCount: 0 },
    { scheduleTime: day(2, '01:30:00'), otherJobCount: 12, isTruncated: true },
    { scheduleTime: day(3, '01:30:00'), otherJobCount: 1 },
  ],
  excludeCalendars: ['holidays'],
  dstSurprises: [
    { message: '2027-03-28 02:30 does not exist in Europe/Paris: runs once at 03:00.' },
  ],
  warnings: ['Months without a 31st have no run.'],
})

let server: ScriptedServer
let validated: [string, boolean][]
let told: ScheduleImpact | undefined

beforeAll(async () => {
  const note = (method: string, validateOnly: boolean) =>
    void validated.push([method, validateOnly])
  server = await startScriptedServer({
    getJob: () => ({ job }),
    createJob(request) {
      note('create', request.validateOnly)
      return { job, impact: told }
    },
    updateJob(request) {
      note('update', request.validateOnly)
      return { job, impact: told }
    },
    pauseJob(request) {
      note('pause', request.validateOnly)
      return { job, impact: told }
    },
    resumeJob(request) {
      note('resume', request.validateOnly)
      return { job, impact: told }
    },
    deleteJob(request) {
      note('delete', request.validateOnly)
      return { impact: told }
    },
  })
})
afterAll(async () => server.stop())
beforeEach(() => {
  validated = []
  told = impact
})

const run = (...args: string[]) => rota(['job', ...args], { dataDir: server.dataDir })
const update = ['update', 'backup', '--schedule', '30 2 * * *', '--tz', 'Europe/Paris']

describe('--dry-run', () => {
  it('shows due times before and after, past runs, calendars, clocks and neighbours', async () => {
    const { stdout, exitCode } = await run(...update, '--dry-run')
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      [
        'job backup would be updated (shell); runs when triggered',
        '',
        'DUE BEFORE            DUE AFTER             OTHER JOBS IN THAT MINUTE',
        '2026-11-21T02:00:00Z  2026-11-21T01:30:00Z  0',
        '2026-11-22T02:00:00Z  2026-11-22T01:30:00Z  12 or more',
        '2026-11-23T02:00:00Z  2026-11-23T01:30:00Z  1',
        '2026-11-24T02:00:00Z  -                     -',
        '',
        'past runs  0 would be created',
        'never on   holidays',
        'clocks     2027-03-28 02:30 does not exist in Europe/Paris: runs once at 03:00.',
        'warnings   Months without a 31st have no run.',
        '',
      ].join('\n'),
    )
  })

  it('is the whole answer of the API as JSON', async () => {
    const { stdout } = await run(...update, '--dry-run', '-o', 'json')
    expect(JSON.parse(stdout)).toMatchObject({
      job: { name: 'jobs/backup' },
      impact: { nextBefore: expect.any(Array), excludeCalendars: ['holidays'] },
    })
  })

  it('is there for every change of a job, and asks for nothing to stay', async () => {
    const said = []
    for (const [verb = '', ...rest] of [
      ['create', 'backup', '--command', 'date'],
      update,
      ['pause', 'backup'],
      ['resume', 'backup'],
      ['delete', 'backup'],
    ]) {
      said.push((await run(verb, ...rest, '--dry-run')).stdout.split('\n')[0]?.split(' (')[0])
    }
    expect(said).toEqual([
      'job backup valid, not stored',
      'job backup would be updated',
      'job backup would be paused',
      'job backup would be resumed',
      'job backup would be deleted',
    ])
    expect(validated).toEqual(
      ['create', 'update', 'pause', 'resume', 'delete'].map((verb) => [verb, true]),
    )
  })
})

describe('an update that changes the schedule', () => {
  it('says on stderr in short what that does', async () => {
    const { stdout, stderr } = await run(...update)
    expect(validated).toEqual([['update', false]])
    expect(stdout).toBe('job backup updated (shell); runs when triggered\n')
    expect(stderr).toBe(
      [
        'due next   2026-11-21T01:30:00Z, 2026-11-22T01:30:00Z, 2026-11-23T01:30:00Z',
        'before     2026-11-21T02:00:00Z',
        'past runs  0 created',
        'never on   holidays',
        'clocks     2027-03-28 02:30 does not exist in Europe/Paris: runs once at 03:00.',
        '',
      ].join('\n'),
    )
  })

  it('says nothing of it to a program, nor of an update that leaves the schedule alone', async () => {
    expect((await run(...update, '-o', 'json')).stderr).toBe('')
    told = undefined
    expect((await run('update', 'backup', '--description', 'x')).stderr).toBe('')
  })
})

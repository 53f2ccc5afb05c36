/** `rota job ...` against a scripted server. Above 400 lines: one command group, whose parts share a server and what it was asked. */
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import { Job, JobState } from '../../../../proto/gen/rota/v1/job.ts'
import type {
  CreateJobRequest,
  ListJobsRequest,
  ResumeJobRequest,
  TriggerJobRequest,
  UpdateJobRequest,
} from '../../../../proto/gen/rota/v1/job_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import { REQUEST_ID, rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const ID = '0198c5d2-7a1b-7000-8000-000000000001'

const stored = Job.fromPartial({
  name: 'jobs/backup',
  state: JobState.ACTIVE,
  version: 4,
  etag: '"4"',
  spec: {
    task: { kind: { $case: 'shell', value: { command: 'date', env: { A: '1' } } } },
    schedule: { recurrences: [{ kind: { $case: 'cron', value: '@daily' } }] },
    priority: 50,
  },
})

const LISTED = {
  ...stored,
  state: JobState.PAUSED,
  spec: {
    ...stored.spec!,
    schedule: { recurrences: [{ kind: { $case: 'cron' as const, value: '1,2,3 '.repeat(30) } }] },
  },
}

let server: ScriptedServer
let created: CreateJobRequest[]
let updated: UpdateJobRequest[]
let resumed: ResumeJobRequest[]
let triggered: TriggerJobRequest[]
let listed: ListJobsRequest[]
let failUpdates = 0

beforeAll(async () => {
  server = await startScriptedServer({
    createJob(request) {
      created.push(request)
      return { job: Job.fromPartial({ ...request.job, name: `jobs/${request.jobId}` }) }
    },
    getJob({ name }) {
      if (name === stored.name) return { job: stored }
      throw new RotaError('JOB_NOT_FOUND', `there is no job "${name.slice(5)}"`, {
        hint: 'Did you mean backup?',
      })
    },
    updateJob(request) {
      updated.push(request)
      if (failUpdates-- > 0) throw new RotaError('ETAG_MISMATCH', 'has changed')
      return { job: request.job }
    },
    deleteJob: () => ({}),
    pauseJob: ({ reason }) => ({ job: { ...stored, state: JobState.PAUSED, pauseReason: reason } }),
    resumeJob(request) {
      resumed.push(request)
      return { job: stored }
    },
    triggerJob(request) {
      triggered.push(request)
      if (request.validateOnly) return { execution: undefined }
      return {
        execution: {
          ...EXECUTION,
          state: ExecutionState.QUEUED,
        },
      }
    },
    getExecution: () => ({ execution: EXECUTION }),
    listJobs(request) {
      listed.push(request)
      const from = Number(request.pageToken || '0')
      const jobs = Array.from({ length: Math.min(request.pageSize, 450 - from) }, (_, index) =>
        Job.fromPartial({ ...LISTED, name: `jobs/backup-${from + index}` }),
      )
      const next = from + jobs.length
      return { jobs, nextPageToken: next < 450 ? String(next) : '', totalSize: 450 }
    },
  })
})
afterAll(() => server.stop())
beforeEach(() => {
  created = []
  updated = []
  resumed = []
  triggered = []
  listed = []
  failUpdates = 0
})

const EXECUTION = {
  name: `executions/${ID}`,
  job: 'jobs/backup',
  jobVersion: 4,
  state: ExecutionState.FAILED,
  reason: { code: 'EXIT_CODE', message: 'exit code 3', details: {} },
  trigger: 2 as const,
  priority: 50,
  attempts: [],
  maxAttempts: 1,
  progress: 0,
  parent: '',
  step: '',
  replayOf: '',
  requestedBy: 'token:admin',
}

const run = (...argv: string[]) => rota(argv, { dataDir: server.dataDir })

describe('job create', () => {
  it('sends what the options say, with the token and a request id', async () => {
    const { exitCode, stdout, stderr } = await run(
      ...['job', 'create', 'jobs/hello', '--command', 'date', '--schedule', 'every 10s'],
      ...[
        '--schedule',
        '@daily',
        '--tz',
        'Europe/Paris',
        '--label',
        'team=ops',
        '--tag',
        'a',
        '--tag',
        'b',
      ],
      ...['--retries', '2', '--description', 'says the time'],
    )
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toBe('job hello created (shell, every 10s; @daily); runs when triggered\n')
    expect(server.authorizations.at(-1)).toBe('Bearer rota-admin-test')
    expect(created).toMatchObject([
      {
        jobId: 'hello',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        validateOnly: false,
        job: {
          name: '',
          description: 'says the time',
          labels: { team: 'ops' },
          tags: ['a', 'b'],
          spec: {
            task: { kind: { $case: 'shell', value: { command: 'date' } } },
            schedule: { recurrences: [{}, {}], timeZone: 'Europe/Paris' },
            retry: { maxRetries: 2 },
          },
        },
      },
    ])
  })

  it('reads a file from stdin, and lets options win over it', async () => {
    const stdin = 'name: jobs/report\nspec:\n  task: {shell: {command: date}}\n  priority: 10\n'
    const { exitCode } = await rota(
      ['job', 'create', '-f', '-', '--priority', 'high', '--dry-run'],
      {
        dataDir: server.dataDir,
        stdin,
      },
    )
    expect(exitCode).toBe(0)
    expect(created).toMatchObject([
      { jobId: 'report', validateOnly: true, job: { spec: { priority: 75 } } },
    ])
  })

  it('says what is missing before it calls anybody', async () => {
    expect((await run('job', 'create', '--command', 'date')).stderr).toContain('NAME: is missing')
    expect((await run('job', 'create', 'x')).stderr).toContain('nothing says what the job does')
    expect(created).toEqual([])
  })

  it('prints exactly the JSON of the API', async () => {
    const { stdout } = await run('job', 'create', 'hello', '--command', 'date', '-o', 'json')
    expect(JSON.parse(stdout)).toEqual({
      name: 'jobs/hello',
      spec: { task: { shell: { command: 'date' } } },
    })
  })
})

describe('job update', () => {
  it('recovers what was due since a time, with a change or without one', async () => {
    await run('job', 'update', 'backup', '--recover-from', '2026-11-20T06:00:00Z')
    await run('job', 'update', 'backup', '--tag', 'x', '--recover-from', '1h ago')
    const [alone, changed] = updated
    expect(alone).toMatchObject({
      updateMask: ['description'],
      job: { description: stored.description },
      recoverFrom: new Date('2026-11-20T06:00:00Z'),
    })
    expect(changed).toMatchObject({ updateMask: ['tags'], recoverFrom: expect.any(Date) })
    expect((await run('job', 'update', 'backup', '--recover-from', 'once')).exitCode).toBe(2)
  })

  it('changes what is given and nothing else, if the job is as it was read', async () => {
    await run('job', 'update', 'backup', '--env', 'B=2', '--timeout', '30s', '--tag', 'x')
    expect(updated).toMatchObject([
      {
        updateMask: ['tags', 'spec.task', 'spec.timeout'],
        job: {
          name: 'jobs/backup',
          etag: '"4"',
          spec: {
            task: { kind: { value: { command: 'date', env: { B: '2' } } } },
            timeout: { seconds: 30n },
          },
        },
      },
    ])
  })

  it('removes by the word none', async () => {
    await run('job', 'update', 'backup', '--schedule', 'none')
    expect(updated[0]?.updateMask).toEqual(['spec.schedule'])
    expect(updated[0]?.job?.spec?.schedule).toBeUndefined()
  })

  it('reads again when somebody else was faster, but not for ever', async () => {
    failUpdates = 2
    expect((await run('job', 'update', 'backup', '--priority', '1')).exitCode).toBe(0)
    expect(updated).toHaveLength(3)
    failUpdates = 10
    expect((await run('job', 'update', 'backup', '--priority', '1')).exitCode).toBe(5)
  })

  it('takes an etag at its word, with or without its quotes', async () => {
    failUpdates = 1
    const { exitCode } = await run('job', 'update', 'backup', '--priority', '1', '--etag', '3')
    expect(exitCode).toBe(5)
    expect(updated.map(({ job }) => job?.etag)).toEqual(['"3"'])
  })

  it('replaces the whole spec by that of a file', async () => {
    const stdin = 'spec: {task: {handler: {handler: noop}}}\ndescription: ""\n'
    await rota(['job', 'update', 'backup', '-f', '-'], { dataDir: server.dataDir, stdin })
    expect(updated[0]).toMatchObject({
      updateMask: ['description', 'spec'],
      job: { name: 'jobs/backup', spec: { schedule: undefined } },
    })
  })

  it('refuses to change nothing', async () => {
    expect((await run('job', 'update', 'backup')).exitCode).toBe(2)
    expect(updated).toEqual([])
  })
})

describe('job list', () => {
  it('fetches 50 and says on stderr that there are more', async () => {
    const { stdout, stderr } = await run(
      'job',
      'list',
      '--filter',
      'state = ACTIVE',
      '--query',
      'x',
    )
    expect(stdout.trimEnd().split('\n')).toHaveLength(51)
    expect(stderr).toBe('50 of 450 shown. More with --limit N or --all.\n')
    expect(listed).toMatchObject([{ pageSize: 50, filter: 'state = ACTIVE', query: 'x' }])
  })

  it('fetches page after page for --all and --limit', async () => {
    const all = await run('job', 'list', '--all', '-o', 'name')
    expect(all.stdout.trimEnd().split('\n')).toHaveLength(450)
    expect(listed.map(({ pageToken }) => pageToken)).toEqual(['', '200', '400'])
    const some = await run('job', 'list', '--limit', '210', '-o', 'json')
    const response = JSON.parse(some.stdout)
    expect(response.jobs).toHaveLength(210)
    expect(response).toMatchObject({ nextPageToken: '210', totalSize: 450 })
    expect(some.stderr).toBe('')
  })

  it('cuts to the width of a terminal, and cuts nothing in a pipe', async () => {
    const argv = ['job', 'list', '--limit', '1']
    const widest = async (columns?: number) => {
      const options = columns === undefined ? {} : { columns }
      const { stdout } = await rota(argv, { dataDir: server.dataDir, ...options })
      return Math.max(
        ...stripVTControlCharacters(stdout)
          .split('\n')
          .map((line) => line.length),
      )
    }
    expect(await widest(80)).toBe(80)
    expect(await widest()).toBeGreaterThan(80)
  })

  it('colours states on a terminal only, and not where colours are unwanted', async () => {
    const argv = ['job', 'list', '--limit', '1']
    const options = { dataDir: server.dataDir, columns: 80 }
    expect((await rota(argv, options)).stdout).toContain('\u001b[33mpaused')
    expect((await rota([...argv, '--no-color'], options)).stdout).not.toContain('\u001b')
    expect((await rota(argv, { ...options, env: { NO_COLOR: '1' } })).stdout).not.toContain(
      '\u001b',
    )
    expect((await rota(argv, { dataDir: server.dataDir })).stdout).not.toContain('\u001b')
  })

  it('prints one line of JSON per job for jsonl', async () => {
    const { stdout } = await run('job', 'list', '--limit', '2', '-o', 'jsonl')
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).name)
    expect(names).toEqual(['jobs/backup-0', 'jobs/backup-1'])
  })
})

describe('job get', () => {
  it('takes the name with or without its collection', async () => {
    for (const name of ['backup', 'jobs/backup']) {
      const { stdout } = await run('job', 'get', name)
      expect(stdout).toContain('job       backup\n')
      expect(stdout).toContain('schedule  @daily\n')
    }
  })

  it('never shows the values of an environment, which may be secrets', async () => {
    const { stdout } = await run('job', 'get', 'backup')
    expect(stdout).toMatch(/^env +A$/m)
  })

  it('passes on what the coordinator says of a job that is not there', async () => {
    const { exitCode, stdout, stderr } = await run('job', 'get', 'bakcup')
    expect(exitCode).toBe(3)
    expect(stdout).toBe('')
    expect(stderr).toBe(
      [
        'error: there is no job "bakcup"  [JOB_NOT_FOUND]',
        'hint:  Did you mean backup?',
        `docs:  docs/errors.md#job_not_found  request ${REQUEST_ID}`,
        '',
      ].join('\n'),
    )
  })

  it('gives programs the status on stdout', async () => {
    const { stdout } = await run('job', 'get', 'bakcup', '-o', 'json')
    expect(JSON.parse(stdout)).toMatchObject({
      code: 5,
      details: [{ reason: 'JOB_NOT_FOUND' }, {}, {}],
    })
  })
})

describe('job pause, resume and delete', () => {
  it('say what was done', async () => {
    expect((await run('job', 'pause', 'backup', '--reason', 'full')).stdout).toBe(
      'job backup paused (shell, @daily); its schedule is paused\n',
    )
    expect((await run('job', 'resume', 'backup')).stdout).toContain('job backup resumed')
    await run('job', 'resume', 'backup', '--recover-from', '2026-11-20T06:00:00Z')
    expect(resumed.map(({ recoverFrom }) => recoverFrom)).toEqual([
      undefined,
      new Date('2026-11-20T06:00:00Z'),
    ])
    expect((await run('job', 'delete', 'backup')).stdout).toBe('job backup deleted\n')
    expect((await run('job', 'delete', 'backup', '-o', 'json')).stdout).toBe('{}\n')
  })
})

describe('job trigger', () => {
  it('sends parameters, place and time', async () => {
    const { exitCode, stdout, stderr } = await rota(
      [
        ...[
          'job',
          'trigger',
          'backup',
          '--param',
          'day=friday',
          '--params-file',
          '-',
          '--on',
          'worker-3',
        ],
        ...['--at', '2026-12-24T18:00:00Z'],
      ],
      { dataDir: server.dataDir, stdin: 'day: monday\ncount: 3\n' },
    )
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`execution ${ID} queued; starts 2026-12-24T18:00:00Z`)
    expect(stderr).toBe(`follow it:  rota exec logs -f ${ID}\n`)
    expect(triggered).toMatchObject([
      {
        name: 'jobs/backup',
        parameters: { day: 'friday', count: 3 },
        worker: 'workers/worker-3',
        scheduleTime: new Date('2026-12-24T18:00:00Z'),
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    ])
  })

  it('only checks with --dry-run', async () => {
    const { exitCode, stdout } = await run('job', 'trigger', 'backup', '--dry-run')
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: 'job backup can be triggered like this\n',
    })
    expect(triggered[0]?.validateOnly).toBe(true)
  })

  it('ends with 10 when it waited and the execution failed', async () => {
    const { exitCode, stdout, stderr } = await run('job', 'trigger', 'backup', '--wait')
    expect(exitCode).toBe(10)
    expect(stdout).toBe(`execution ${ID} failed: exit code 3  [EXIT_CODE]\n`)
    expect(stderr).toContain(`rota exec logs ${ID}`)
  })

  it('refuses a wait limit without a wait', async () => {
    expect((await run('job', 'trigger', 'backup', '--timeout', '5s')).stderr).toContain('--timeout')
    expect(triggered).toEqual([])
  })

  it('refuses parameters that are no object', async () => {
    for (const stdin of ['- a\n', 'a: [\n', 'text']) {
      const argv = ['job', 'trigger', 'backup', '--params-file', '-']
      const { exitCode, stderr } = await rota(argv, { dataDir: server.dataDir, stdin })
      expect(exitCode).toBe(2)
      expect(stderr).toContain('--params-file')
    }
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { Execution, ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import { ListExecutionEventsResponse } from '../../../../proto/gen/rota/v1/execution_service.ts'
import { Job, JobState } from '../../../../proto/gen/rota/v1/job.ts'
import type {
  WatchEventsRequest,
  WatchEventsResponse,
} from '../../../../proto/gen/rota/v1/system_service.ts'
import { Worker, WorkerHealth, WorkerState } from '../../../../proto/gen/rota/v1/worker_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import {
  type CliOptions,
  rota,
  type Script,
  type ScriptedServer,
  startScriptedServer,
} from '../../../support/cli.ts'

const ID = '0198c5d2-7a1b-7000-8000-000000000001'
const NAME = `executions/${ID}`

let server: ScriptedServer
afterEach(() => server.stop())

async function withServer(script: Script): Promise<void> {
  server = await startScriptedServer(script)
}
const run = (argv: readonly string[], options: CliOptions = {}) =>
  rota(argv, { dataDir: server.dataDir, ...options })

type Event = WatchEventsResponse['event']

function message(resumeToken: string, event: Event): WatchEventsResponse {
  const eventTime = new Date('2026-11-20T10:15:02Z')
  return { resumeToken, eventTime, event }
}

const keepalive = (token: string) => message(token, { $case: 'keepalive', value: {} })
const jobEvent = (token: string, state: JobState = JobState.ACTIVE) =>
  message(token, { $case: 'job', value: Job.fromPartial({ name: 'jobs/backup', state }) })

const EVENTS: readonly Event[] = [
  { $case: 'keepalive', value: {} },
  {
    $case: 'job',
    value: Job.fromPartial({
      name: 'jobs/backup',
      state: JobState.PAUSED,
      pauseReason: 'lunch',
    }),
  },
  {
    $case: 'execution',
    value: Execution.fromPartial({
      name: NAME,
      job: 'jobs/backup',
      state: ExecutionState.FAILED,
      reason: { code: 'EXIT_CODE', message: 'exit \u001b[31m3' },
      attempts: [{ number: 1, worker: 'workers/worker-3' }],
    }),
  },
  {
    $case: 'worker',
    value: Worker.fromPartial({
      name: 'workers/worker-3',
      state: WorkerState.CORDONED,
      health: WorkerHealth.OFFLINE,
      healthMessage: 'not connected',
    }),
  },
  { $case: 'deletedName', value: 'jobs/backup' },
]

/** Sends these, and then nothing, until the client goes. */
async function* stay(signal: AbortSignal, ...messages: readonly WatchEventsResponse[]) {
  yield* messages
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Runs until `isEnough`, and then presses Ctrl-C. */
function runUntil(
  argv: readonly string[],
  isEnough: (soFar: { readonly stdout: string; readonly stderr: string }) => boolean,
  options: CliOptions = {},
) {
  const interrupt = new AbortController()
  const onOutput: CliOptions['onOutput'] = (soFar) => {
    if (isEnough(soFar)) interrupt.abort()
  }
  return run(argv, { interrupt: interrupt.signal, onOutput, ...options })
}

describe('events', () => {
  const script: Script = {
    watchEvents: (_request, signal) =>
      stay(signal, ...EVENTS.map((event, index) => message(`token-${index}`, event))),
  }

  it('shows one line each, and how to go on', async () => {
    await withServer(script)
    const { exitCode, stdout, stderr } = await runUntil(['events'], (soFar) =>
      soFar.stdout.includes('deleted'),
    )
    expect(exitCode).toBe(130)
    const lines = stdout.split('\n')
    expect(lines.map((line) => line.slice(8))).toEqual([
      '  job        paused     backup: lunch',
      '  execution  failed     backup 0198c5d2-7a1b on worker-3: exit \\x1b[31m3  [EXIT_CODE]',
      '  worker     offline    worker-3 cordoned: not connected',
      '  job        deleted    backup',
      '',
    ])
    expect(lines[0]).toMatch(/^\d\d:15:02 /)
    expect(stderr).toBe('Go on from here:  rota events --since token-4\n')
  })

  it('fits a terminal of 80 columns, in colour where that is wanted', async () => {
    await withServer(script)
    const isEnough = (soFar: { stdout: string }) => soFar.stdout.includes('deleted')
    const plain = await runUntil(['events', '--no-color'], isEnough, { columns: 80 })
    for (const line of plain.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    const coloured = await runUntil(['events'], isEnough, { columns: 80 })
    expect(coloured.stdout).toContain('\u001b[31mfailed   \u001b[39m')
  })

  it('gives programs a message a line, without keepalives, and their token', async () => {
    await withServer(script)
    const { stdout } = await runUntil(['events', '-o', 'jsonl'], (soFar) =>
      soFar.stdout.includes('deletedName'),
    )
    const messages = stdout
      .trimEnd()
      .split('\n')
      .map((line): { resumeToken: string } => JSON.parse(line))
    expect(messages).toMatchObject([
      { resumeToken: 'token-1', job: { state: 'JOB_STATE_PAUSED' } },
      { resumeToken: 'token-2', execution: { name: NAME } },
      { resumeToken: 'token-3', worker: { name: 'workers/worker-3' } },
      { resumeToken: 'token-4', deletedName: 'jobs/backup' },
    ])
    const names = await runUntil(['events', '-o', 'name'], (soFar) =>
      soFar.stdout.includes('workers/worker-3\njobs/backup\n'),
    )
    expect(names.stdout).toBe(`jobs/backup\n${NAME}\nworkers/worker-3\njobs/backup\n`)
    const yaml = await runUntil(['events', '-o', 'yaml'], (soFar) =>
      soFar.stdout.includes('deletedName'),
    )
    expect(yaml.stdout.match(/^---$/gm)).toHaveLength(4)
  })

  it('asks for what is wanted, from where it is wanted', async () => {
    const requests: WatchEventsRequest[] = []
    await withServer({
      watchEvents(request, signal) {
        requests.push(request)
        return stay(signal, jobEvent('later'))
      },
    })
    const more = ['--job', 'jobs/backup', '--filter', 'state = FAILED', '--since', 'earlier']
    await runUntil(['events', ...more], ({ stdout }) => stdout !== '')
    expect(requests).toEqual([
      { filter: '(state = FAILED) AND (job = "backup")', resumeToken: 'earlier' },
    ])
  })

  it('goes on behind the last token when the coordinator goes, and says so once', async () => {
    const tokens: string[] = []
    await withServer({
      async *watchEvents({ resumeToken }, signal) {
        tokens.push(resumeToken)
        if (tokens.length === 1) {
          yield keepalive('one')
          throw new RotaError('SHUTTING_DOWN', 'bye')
        }
        if (tokens.length === 2) throw new RotaError('DATABASE_UNAVAILABLE', 'away')
        if (tokens.length === 3) {
          yield jobEvent('two')
          return
        }
        yield* stay(signal, jobEvent('three', JobState.PAUSED))
      },
    })
    const { stdout, stderr } = await runUntil(['events'], (soFar) =>
      soFar.stdout.includes('paused'),
    )
    expect(tokens).toEqual(['', 'one', 'one', 'two'])
    expect(stdout.match(/backup/g)).toHaveLength(2)
    expect(stderr.match(/lost the coordinator/g)).toHaveLength(2)
  })

  it('says that something is missing', async () => {
    await withServer({
      watchEvents: (_request, signal) =>
        stay(signal, message('now', { $case: 'gap', value: {} }), jobEvent('later')),
    })
    const { stdout, stderr } = await runUntil(['events', '--since', 'old'], (soFar) =>
      soFar.stdout.includes('backup'),
    )
    expect(stdout.split('\n')).toHaveLength(2)
    expect(stderr).toContain('some changes are missing here')
  })

  it.each([
    ['FILTER_INVALID', 2],
    ['DATABASE_UNAVAILABLE', 6],
  ] as const)('ends at once when the first stream is refused with %s', async (reason, exitCode) => {
    await withServer({
      watchEvents: () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.reject(new RotaError(reason, 'no')),
        }),
      }),
    })
    const result = await run(['events'])
    expect(result.exitCode).toBe(exitCode)
    expect(result.stderr).toContain(`[${reason}]`)
  })
})

const STEPS = [
  [ExecutionState.QUEUED, '', 'created'],
  [ExecutionState.ASSIGNED, 'workers/worker-3', 'attempt 1 assigned, epoch 7'],
  [ExecutionState.RUNNING, 'workers/worker-3', 'attempt 1 started'],
  [ExecutionState.FAILED, 'workers/worker-3', 'failed: exit 3  [EXIT_CODE]'],
] as const

function timeline(count: number = STEPS.length): ListExecutionEventsResponse {
  return ListExecutionEventsResponse.fromPartial({
    events: STEPS.slice(0, count).map(([state, worker, text], index) => ({
      sequence: BigInt(index + 1),
      eventTime: new Date(Date.parse('2026-11-20T10:15:02Z') + index * 100),
      state,
      worker,
      message: text,
      actor: index === 0 ? 'token:admin' : '',
    })),
  })
}

describe('exec events', () => {
  it('shows each step with the time since the first, in 80 columns', async () => {
    await withServer({ listExecutionEvents: () => timeline() })
    const { exitCode, stdout } = await run(['exec', 'events', ID], { columns: 80 })
    expect(exitCode).toBe(0)
    const [titles = '', ...lines] = stdout.trimEnd().split('\n')
    expect(titles).toMatch(/^TIME +AFTER +STATE +WORKER +WHAT$/)
    expect(lines).toHaveLength(4)
    expect(lines[1]).toMatch(/ 100ms +.*assigned.* +worker-3 +attempt 1 assigned, epoch 7$/)
    const wide = await run(['exec', 'events', ID, '-o', 'wide'])
    expect(wide.stdout).toContain('2026-11-20T10:15:02Z')
    expect(wide.stdout).toContain('token:admin')
  })

  it('fetches page after page', async () => {
    const tokens: string[] = []
    await withServer({
      listExecutionEvents({ pageToken }) {
        tokens.push(pageToken)
        return { ...timeline(2), nextPageToken: pageToken === '' ? 'more' : '' }
      },
    })
    const { stdout } = await run(['exec', 'events', ID, '-o', 'jsonl'])
    expect(tokens).toEqual(['', 'more'])
    expect(stdout.trimEnd().split('\n')).toHaveLength(4)
  })
})

describe('exec watch', () => {
  /** One more step is there at each look; a message tells of each. */
  function stepByStep(): Script {
    let looks = 0
    return {
      listExecutionEvents: () => timeline(Math.min(++looks, STEPS.length)),
      watchEvents: (_request, signal) =>
        stay(signal, ...STEPS.map((_, index) => keepalive(`token-${index}`))),
    }
  }

  it('shows each step once, under one line of titles, and ends with 10 when it failed', async () => {
    await withServer(stepByStep())
    const { exitCode, stdout } = await run(['exec', 'watch', ID])
    expect(exitCode).toBe(10)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.filter((line) => line.startsWith('TIME'))).toHaveLength(1)
    expect(lines).toHaveLength(1 + STEPS.length)
    for (const [index, [, , text]] of STEPS.entries()) expect(lines[index + 1]).toContain(text)
  })

  it('gives programs one message each', async () => {
    await withServer(stepByStep())
    const { exitCode, stdout } = await run(['exec', 'watch', ID, '-o', 'jsonl'])
    expect(exitCode).toBe(10)
    const events = stdout.trimEnd().split('\n')
    expect(events.map((line): unknown => JSON.parse(line))).toMatchObject(
      STEPS.map((_, index) => ({ sequence: String(index + 1) })),
    )
  })

  it('outlives a coordinator that goes between the message and the look', async () => {
    let looks = 0
    await withServer({
      listExecutionEvents() {
        looks++
        if (looks === 1) throw new RotaError('SHUTTING_DOWN', 'bye')
        return timeline()
      },
      watchEvents: (_request, signal) => stay(signal, keepalive('one'), keepalive('two')),
    })
    const { exitCode, stdout } = await run(['exec', 'watch', ID, '-o', 'jsonl'])
    expect(exitCode).toBe(10)
    expect(stdout.trimEnd().split('\n')).toHaveLength(STEPS.length)
  })

  it('ends with 130 after Ctrl-C, and says how to go on', async () => {
    await withServer({
      listExecutionEvents: () => timeline(2),
      watchEvents: (_request, signal) => stay(signal, keepalive('one')),
    })
    const { exitCode, stderr } = await runUntil(['exec', 'watch', ID], ({ stdout }) =>
      stdout.includes('assigned'),
    )
    expect(exitCode).toBe(130)
    expect(stderr).toContain(`rota exec watch ${ID}`)
  })
})

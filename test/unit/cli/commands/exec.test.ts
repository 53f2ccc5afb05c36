/** `rota exec ...` against a scripted server. Above 400 lines: one command group, whose parts share executions and answers. */
import { afterEach, describe, expect, it } from 'vitest'
import {
  Attempt,
  AttemptOutcome,
  Execution,
  ExecutionState,
  LogStream,
} from '../../../../proto/gen/rota/v1/execution.ts'
import {
  type ListExecutionsRequest,
  type TailExecutionLogsRequest,
  TailExecutionLogsResponse,
} from '../../../../proto/gen/rota/v1/execution_service.ts'
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

function execution(partial: Partial<Execution>): Execution {
  const base = Execution.fromPartial({ name: NAME, job: 'jobs/backup', maxAttempts: 2 })
  return { ...base, ...partial }
}

function attempt(partial: Partial<Attempt>): Attempt {
  return { ...Attempt.fromPartial({ number: 1 }), ...partial }
}

const RUNNING = execution({
  state: ExecutionState.RUNNING,
  startTime: new Date('2026-11-20T10:00:00Z'),
  attempts: [attempt({ worker: 'workers/worker-3' })],
})
const SUCCEEDED = execution({
  state: ExecutionState.SUCCEEDED,
  startTime: new Date('2026-11-20T10:00:00Z'),
  endTime: new Date('2026-11-20T10:00:01.5Z'),
  attempts: [attempt({ worker: 'workers/worker-3', outcome: AttemptOutcome.SUCCEEDED })],
})

let server: ScriptedServer
afterEach(() => server.stop())

async function withServer(script: Script): Promise<void> {
  server = await startScriptedServer(script)
}
const run = (argv: readonly string[], options: CliOptions = {}) =>
  rota(argv, { dataDir: server.dataDir, ...options })

function chunk(sequence: number, data: string | Buffer, stream: LogStream = LogStream.STDOUT) {
  return TailExecutionLogsResponse.fromPartial({
    sequence: BigInt(sequence),
    stream,
    data: Buffer.from(data),
    attempt: 1,
  })
}

async function* chunks(...items: readonly TailExecutionLogsResponse[]) {
  yield* items
}

describe('exec list', () => {
  const listed: ListExecutionsRequest[] = []
  const script: Script = {
    listExecutions(request) {
      listed.push(request)
      return { executions: [SUCCEEDED, RUNNING], nextPageToken: '', totalSize: 0 }
    },
  }

  it('joins what narrows it into one filter', async () => {
    await withServer(script)
    const { stdout } = await run([
      ...[
        'exec',
        'list',
        '--job',
        'backup',
        '--state',
        'failed',
        '--state',
        'timed-out,lost',
      ].slice(0, 6),
      ...[
        '--state',
        'cancelled',
        '--filter',
        'priority > 50',
        '--sort',
        'priority desc',
        '-o',
        'name',
      ],
    ])
    expect(stdout).toBe(`${NAME}\n${NAME}\n`)
    expect(listed.at(-1)).toMatchObject({
      job: 'jobs/backup',
      filter: '(priority > 50) AND (state = FAILED OR state = CANCELLED)',
      orderBy: 'priority desc',
      pageSize: 50,
    })
  })

  it('turns --since into a time', async () => {
    await withServer(script)
    const before = Date.now()
    await run(['job', 'history', 'backup', '--since', '1h'])
    const time = /^create_time >= "(.*)"$/.exec(listed.at(-1)?.filter ?? '')?.[1] ?? ''
    expect(Math.abs(Date.parse(time) - (before - 3_600_000))).toBeLessThan(5_000)
  })

  it('shows one line each, in 80 columns', async () => {
    await withServer(script)
    const { stdout } = await run(['exec', 'list'], { columns: 80 })
    const [titles, first] = stdout.split('\n')
    expect(titles).toMatch(/^EXECUTION +JOB +STATE +WORKER +TOOK +CREATED$/)
    expect(first).toContain(ID.slice(0, 13))
    expect(first).toContain('1.5s')
  })

  it('says that there are none on stderr, and leaves stdout empty', async () => {
    await withServer({
      listExecutions: () => ({ executions: [], nextPageToken: '', totalSize: 0 }),
    })
    expect(await run(['exec', 'list'])).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: 'No executions yet.\n',
    })
    expect(await run(['exec', 'list', '-o', 'json'])).toMatchObject({ stdout: '{}\n', stderr: '' })
  })
})

describe('which execution is meant', () => {
  const got: string[] = []
  const listed: ListExecutionsRequest[] = []
  const listing = (...ids: string[]): Script => ({
    getExecution({ name }) {
      got.push(name)
      return { execution: { ...SUCCEEDED, name } }
    },
    listExecutions(request) {
      listed.push(request)
      const executions = ids.map((id) => ({ ...SUCCEEDED, name: `executions/${id}` }))
      return { executions, nextPageToken: '', totalSize: 0 }
    },
  })

  it.each([ID, NAME, ID.toUpperCase()])('takes %s as it is', async (text) => {
    await withServer(listing())
    expect((await run(['exec', 'get', text])).exitCode).toBe(0)
    expect(got.at(-1)).toBe(NAME)
  })

  it('takes the newest of a job for @last', async () => {
    await withServer(listing(ID))
    await run(['exec', 'get', '@last', '--job', 'backup'])
    expect(listed.at(-1)).toMatchObject({ job: 'jobs/backup', pageSize: 1 })
    expect(got.at(-1)).toBe(NAME)
  })

  it('says that there is no last one', async () => {
    await withServer(listing())
    const { exitCode, stderr } = await run(['exec', 'get', '@last', '--job', 'backup'])
    expect(exitCode).toBe(3)
    expect(stderr).toContain('there is no execution of backup yet')
  })

  it('looks the beginning of an id up, and only the beginning', async () => {
    await withServer(listing('aaaaaaaa-0000-7000-8000-00000198c5d2', ID))
    await run(['exec', 'get', '0198c5d2'])
    expect(listed.at(-1)?.filter).toBe('name:"0198c5d2"')
    expect(got.at(-1)).toBe(NAME)
  })

  it('refuses a beginning that several have', async () => {
    await withServer(listing(ID, ID.replace(/1$/, '2')))
    const { exitCode, stderr } = await run(['exec', 'get', '0198c5d2-7a1b'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('[EXECUTION_AMBIGUOUS]')
  })

  it.each(['0198c5d', 'backup', 'executions/'])('refuses %j', async (text) => {
    await withServer(listing(ID))
    expect((await run(['exec', 'get', text])).exitCode).toBe(2)
  })
})

describe('exec get', () => {
  it('shows the attempts one by one, with what was cut from their output', async () => {
    await withServer({
      getExecution: () => ({
        execution: execution({
          state: ExecutionState.FAILED,
          reason: { code: 'EXIT_CODE', message: 'exit code 3', details: {} },
          parameters: { day: 'monday', n: 3 },
          attempts: [
            attempt({
              number: 1,
              worker: 'workers/worker-3',
              outcome: AttemptOutcome.LOST,
              message: 'lost',
            }),
            attempt({
              number: 2,
              worker: 'workers/worker-4',
              outcome: AttemptOutcome.FAILED,
              exitCode: 3,
              logBytes: 2048n,
              logBytesDropped: 5n,
            }),
          ],
        }),
      }),
    })
    const { stdout } = await run(['exec', 'get', ID])
    expect(stdout).toMatch(/^state +failed: exit code 3 {2}\[EXIT_CODE\]$/m)
    expect(stdout).toMatch(/^parameters +day=monday\n +n=3$/m)
    expect(stdout).toMatch(/^1 +worker-3 +lost +- /m)
    expect(stdout).toMatch(/^2 +worker-4 +failed +3 .* 2\.0 KiB \(5 B cut\)/m)
  })
})

describe('exec logs', () => {
  it('gives every byte back as it was, stdout and stderr apart', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    await withServer({
      tailExecutionLogs: () =>
        chunks(
          chunk(1, bytes),
          chunk(2, 'oops\n', LogStream.STDERR),
          chunk(2, 'rota: cut\n', LogStream.SYSTEM),
        ),
    })
    const { exitCode, stdoutBytes, stderr } = await run(['exec', 'logs', ID])
    expect(exitCode).toBe(0)
    expect(stdoutBytes).toEqual(bytes)
    expect(stderr).toBe('oops\nrota: cut\n')
  })

  it('lets no job drive a terminal', async () => {
    await withServer({
      tailExecutionLogs: () =>
        chunks(chunk(1, '\u001b]0;ti'), chunk(2, 'tle\u0007\u001b[31mred\n')),
    })
    const { stdout } = await run(['exec', 'logs', ID], { columns: 80 })
    expect(stdout).toBe('\u001b[31mred\n\u001b[0m')
    expect((await run(['exec', 'logs', ID, '--no-color'], { columns: 80 })).stdout).toBe('red\n')
  })

  it('goes on where a broken stream ended, without a gap and without repeating', async () => {
    const requests: TailExecutionLogsRequest[] = []
    await withServer({
      async *tailExecutionLogs(request) {
        requests.push(request)
        if (requests.length === 1) {
          yield chunk(1, 'a')
          yield chunk(2, 'b')
          throw new RotaError('SHUTTING_DOWN', 'bye')
        }
        // A coordinator may send what was asked for twice.
        yield chunk(2, 'b')
        yield chunk(3, 'c')
      },
    })
    const { exitCode, stdout, stderr } = await run(['exec', 'logs', '-f', ID, '--tail', '5'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'abc' })
    expect(stderr).toBe('rota: lost the coordinator, trying again\n')
    expect(requests).toMatchObject([
      { follow: true, tailLines: 5, afterSequence: 0n },
      { follow: true, tailLines: 0, afterSequence: 2n },
    ])
  })

  it('ends with 130 after Ctrl-C', async () => {
    const interrupt = new AbortController()
    await withServer({
      async *tailExecutionLogs(_request, signal) {
        yield chunk(1, 'first\n')
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      },
    })
    const { exitCode, stdout } = await run(['exec', 'logs', '-f', ID], {
      interrupt: interrupt.signal,
      onOutput: ({ stdout: soFar }) => soFar === 'first\n' && interrupt.abort(),
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: 'first\n' })
  })

  it('asks for one attempt, and refuses what is no number', async () => {
    const requests: TailExecutionLogsRequest[] = []
    await withServer({
      tailExecutionLogs(request) {
        requests.push(request)
        return chunks()
      },
    })
    await run(['exec', 'logs', ID, '--attempt', '2'])
    expect(requests[0]).toMatchObject({ attempt: 2, follow: false })
    expect((await run(['exec', 'logs', ID, '--tail', 'x'])).exitCode).toBe(2)
  })
})

describe('exec wait', () => {
  /** Answers with each of these in turn, and then with the last one for ever. */
  function states(...executions: readonly (Execution | RotaError)[]): Script {
    let calls = 0
    return {
      getExecution() {
        const next = executions[Math.min(calls++, executions.length - 1)]
        if (next instanceof RotaError) throw next
        return { execution: next }
      },
    }
  }

  it('tells each state once on stderr, and the end on stdout', async () => {
    const queued = execution({ state: ExecutionState.QUEUED })
    const retry = execution({
      state: ExecutionState.BACKOFF,
      reason: { code: 'EXIT_CODE', message: 'exit code 1', details: {} },
      attempts: [attempt({})],
    })
    await withServer(states(queued, queued, RUNNING, RUNNING, retry, SUCCEEDED))
    const { exitCode, stdout, stderr } = await run(['exec', 'wait', ID])
    expect(exitCode).toBe(0)
    expect(stdout).toBe(`execution ${ID} succeeded on worker-3 after 1.5s\n`)
    expect(stderr).toBe('queued\nrunning on worker-3\nbackoff: exit code 1  [EXIT_CODE]\n')
  })

  it.each([
    [ExecutionState.SUCCEEDED, 0],
    [ExecutionState.SKIPPED, 0],
    [ExecutionState.FAILED, 10],
    [ExecutionState.CANCELLED, 10],
    [ExecutionState.UNCERTAIN, 10],
  ])('ends state %i with %i', async (state, exitCode) => {
    await withServer(states(execution({ state })))
    expect((await run(['exec', 'wait', ID, '-o', 'json'])).exitCode).toBe(exitCode)
  })

  it('ends with 8 when the time is up, and says how to go on', async () => {
    await withServer(states(RUNNING))
    const { exitCode, stderr } = await run(['exec', 'wait', ID, '--timeout', '250ms'])
    expect(exitCode).toBe(8)
    expect(stderr).toContain('has not ended within 250ms  [WAIT_TIMED_OUT]')
    expect(stderr).toContain(`rota exec wait ${ID}`)
  })

  it('ends with 130 after Ctrl-C, and says how to go on', async () => {
    await withServer(states(RUNNING))
    const interrupt = new AbortController()
    const { exitCode, stderr } = await run(['exec', 'wait', ID], {
      interrupt: interrupt.signal,
      onOutput: () => interrupt.abort(),
    })
    expect(exitCode).toBe(130)
    expect(stderr).toContain(`rota exec logs -f ${ID}`)
  })

  it('outlives a coordinator that is away for a while', async () => {
    const away = new RotaError('DATABASE_UNAVAILABLE', 'away')
    await withServer(states(RUNNING, away, away, SUCCEEDED))
    expect((await run(['exec', 'wait', ID])).exitCode).toBe(0)
  })

  it('does not outlive an execution that is not there', async () => {
    await withServer(states(new RotaError('EXECUTION_NOT_FOUND', 'none')))
    expect((await run(['exec', 'wait', ID])).exitCode).toBe(3)
  })

  it('shows the output meanwhile: the job has stdout for itself', async () => {
    await withServer({
      ...states(SUCCEEDED),
      tailExecutionLogs: () => chunks(chunk(1, 'data\n'), chunk(2, 'talk\n', LogStream.STDERR)),
    })
    const { stdout, stderr } = await run(['exec', 'wait', ID, '--follow'])
    expect(stdout).toBe('data\n')
    expect(stderr).toBe(`talk\nexecution ${ID} succeeded on worker-3 after 1.5s\n`)
  })

  it('keeps stdout for JSON when that is wanted', async () => {
    await withServer({
      ...states(SUCCEEDED),
      tailExecutionLogs: () => chunks(chunk(1, 'data\n')),
    })
    const { stdout, stderr } = await run(['exec', 'wait', ID, '--follow', '-o', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({ name: NAME, state: 'EXECUTION_STATE_SUCCEEDED' })
    expect(stderr).toBe('data\n')
  })
})

describe('exec cancel', () => {
  it('says whether it has ended or is being stopped', async () => {
    const requests: unknown[] = []
    let answer = RUNNING
    await withServer({
      cancelExecution(request) {
        requests.push(request)
        return { execution: answer }
      },
    })
    const argv = ['exec', 'cancel', ID, '--reason', 'wrong day', '--force']
    expect((await run(argv)).stdout).toContain('is being stopped')
    expect(requests).toEqual([{ name: NAME, reason: 'wrong day', force: true }])
    answer = execution({ state: ExecutionState.CANCELLED })
    expect((await run(argv)).stdout).toBe(`execution ${ID} cancelled\n`)
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Execution, ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import {
  GetHealthResponse,
  GetServerInfoResponse,
  GetStatsResponse,
  HealthState,
} from '../../../../proto/gen/rota/v1/system_service.ts'
import {
  type CreateEnrollmentTokenRequest,
  CreateEnrollmentTokenResponse,
  type ListWorkersRequest,
  Worker,
  WorkerHealth,
  WorkerState,
} from '../../../../proto/gen/rota/v1/worker_service.ts'
import {
  type CliOptions,
  rota,
  type ScriptedServer,
  startScriptedServer,
} from '../../../support/cli.ts'

const healthy = Worker.fromPartial({
  name: 'workers/worker-1',
  health: WorkerHealth.HEALTHY,
  state: WorkerState.ACTIVE,
  capabilities: ['api', 'shell'],
  labels: { zone: 'z1' },
  slotCount: 4,
  usedSlotCount: 1,
  clockSkew: { seconds: -2n, nanos: 0 },
  load: { cpuRatio: 0.12, memoryRatio: 0.4, diskRatio: 0.7 },
})
const draining = Worker.fromPartial({
  ...healthy,
  name: 'workers/worker-2',
  state: WorkerState.DRAINING,
  drain: { initialCount: 3, remainingCount: 2 },
})
const offline = Worker.fromPartial({ name: 'workers/worker-3', health: WorkerHealth.OFFLINE })

let server: ScriptedServer
const tokens: CreateEnrollmentTokenRequest[] = []
const listed: ListWorkersRequest[] = []

beforeAll(async () => {
  server = await startScriptedServer({
    listWorkers(request) {
      listed.push(request)
      return { workers: [healthy, draining, offline], nextPageToken: '', totalSize: 3 }
    },
    getWorker: () => ({ worker: healthy }),
    createEnrollmentToken(request) {
      tokens.push(request)
      return CreateEnrollmentTokenResponse.fromPartial({
        token: 'rota-join-x.y.z',
        expireTime: new Date(Date.now() + 600_500),
        installCommand: request.worker === '' ? '' : 'rota agent run --from-server',
      })
    },
    getServerInfo: () => GetServerInfoResponse.fromPartial({ version: '0.1.0' }),
    getHealth: () =>
      GetHealthResponse.fromPartial({
        state: HealthState.DEGRADED,
        components: [
          { component: 'database', state: HealthState.DEGRADED, message: 'answers slowly' },
          { component: 'gateway', state: HealthState.HEALTHY },
          ...['a:7420, 2 agents, up 3h, answering', 'b:7420, 1 agent, up 2m, draining'].map(
            (message, index) => ({
              component: `coordinator/${index}`,
              state: HealthState.HEALTHY,
              message,
            }),
          ),
        ],
      }),
    getStats: () =>
      GetStatsResponse.fromPartial({
        jobsByState: { ACTIVE: 7n, PAUSED: 1n },
        executionsByState: { SUCCEEDED: 12n, RUNNING: 3n, FAILED: 2n, QUEUED: 2n, LOST: 0n },
        queueDepth: 2n,
        oldestQueuedAge: { seconds: 3n, nanos: 0 },
      }),
    listExecutions: () => ({
      executions: [
        Execution.fromPartial({
          name: 'executions/0198c5d2-7a1b-7000-8000-000000000001',
          job: 'jobs/backup',
          state: ExecutionState.RUNNING,
        }),
      ],
      nextPageToken: '',
      totalSize: 0,
    }),
  })
})
afterAll(() => server.stop())

const run = (argv: readonly string[], options: CliOptions = {}) =>
  rota(argv, { dataDir: server.dataDir, ...options })

describe('worker list', () => {
  it('shows health, and what an operator wants of a worker', async () => {
    const { stdout } = await run(['worker', 'list', '--capability', 'shell'], {
      columns: 80,
      env: { NO_COLOR: '1' },
    })
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      'NAME      HEALTH                    SLOTS  LOAD  CAPABILITIES  LABELS   SEEN',
      'worker-1  healthy                   1/4    70%   api,shell     zone=z1  -',
      'worker-2  healthy, draining 2 left  1/4    70%   api,shell     zone=z1  -',
      'worker-3  offline                   0/0    -     -             -        -',
    ])
    expect(listed.at(-1)).toMatchObject({ capability: 'shell', pageSize: 50 })
  })
})

describe('worker get', () => {
  it('tells of a clock that is off', async () => {
    const { stdout } = await run(['worker', 'get', 'worker-1'])
    expect(stdout).toMatch(/^clock +2s behind$/m)
  })
})

describe('token create', () => {
  it('prints the token alone on stdout, so that a script can take it', async () => {
    const { stdout, stderr } = await run(['token', 'create'])
    expect(stdout).toBe('rota-join-x.y.z\n')
    expect(stderr).toContain('It works once; it ends in 10m.')
    expect(stderr).toContain(
      `ROTA_JOIN_TOKEN=rota-join-x.y.z npx rota agent run --coordinator ${server.address}`,
    )
  })

  it('sends what the options say, and prefers the join command of the coordinator', async () => {
    const { stderr } = await run([
      ...[
        'token',
        'create',
        '--worker',
        'worker-13',
        '--ttl',
        '1h',
        '--uses',
        '3',
        '--label',
        'zone=z1',
      ],
    ])
    expect(tokens.at(-1)).toMatchObject({
      worker: 'workers/worker-13',
      ttl: { seconds: 3_600n },
      maxUses: 3,
      labels: { zone: 'z1' },
    })
    expect(stderr).toContain('It works 3 times')
    expect(stderr).toContain('  rota agent run --from-server')
  })

  it('refuses what it cannot read before it makes a token', async () => {
    const before = tokens.length
    expect((await run(['token', 'create', '--ttl', '10'])).exitCode).toBe(2)
    expect((await run(['token', 'create', '--uses', '0'])).exitCode).toBe(2)
    expect(tokens).toHaveLength(before)
  })
})

describe('status', () => {
  it('fits one screen of 80 columns, troubles included', async () => {
    const { stdout, exitCode } = await run(['status'], { columns: 80, env: { NO_COLOR: '1' } })
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      [
        `coordinator  0.1.0 at ${server.address}, degraded`,
        'cluster      a:7420, 2 agents, up 3h, answering',
        '             b:7420, 1 agent, up 2m, draining',
        'trouble      database degraded: answers slowly',
        'workers      2 healthy, 1 offline; 2 of 8 slots used',
        'jobs         7 active, 1 paused',
        'queue        2 ready to start, the oldest for 3s',
        'now          2 queued, 3 running',
        'last 24 h    12 succeeded, 2 failed',
        '',
        'EXECUTION      JOB     STATE    WORKER  TOOK  CREATED',
        '0198c5d2-7a1b  backup  running  -       -     -',
        '',
      ].join('\n'),
    )
  })

  it('is an object of the answers of the API for programs', async () => {
    const { stdout } = await run(['status', '-o', 'json'])
    expect(JSON.parse(stdout)).toMatchObject({
      serverInfo: { version: '0.1.0' },
      health: { state: 'HEALTH_STATE_DEGRADED' },
      stats: { queueDepth: '2' },
      workers: { workers: [{}, {}, {}] },
      recentExecutions: { executions: [{ state: 'EXECUTION_STATE_RUNNING' }] },
    })
  })
})

describe('version', () => {
  it('tells of both sides', async () => {
    const { stdout } = await run(['version'])
    expect(stdout).toMatch(
      /^client {2}\d+\.\d+\.\d+ {2}\(Node \d+\.\d+\.\d+\)\nserver {2}0\.1\.0 at 127/,
    )
    expect(JSON.parse((await run(['version', '-o', 'json'])).stdout)).toMatchObject({
      client: { version: '0.1.0' },
      server: { version: '0.1.0' },
    })
  })

  it('is no failure where there is no coordinator', async () => {
    expect(await rota(['version'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('server  none known'),
    })
    const { exitCode, stdout } = await run(['version', '--address', '127.0.0.1:1'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('server  unknown: no coordinator can be reached')
    expect((await run(['version', '--client'])).stdout).not.toContain('server')
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type CordonWorkerRequest,
  type DeleteWorkerRequest,
  type DrainWorkerRequest,
  type GetWorkerStatsRequest,
  GetWorkerStatsResponse,
  type UpdateWorkerRequest,
  Worker,
  WorkerHealth,
  WorkerState,
} from '../../../../proto/gen/rota/v1/worker_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'
import {
  type CliOptions,
  rota,
  type ScriptedServer,
  startScriptedServer,
} from '../../../support/cli.ts'

const active = Worker.fromPartial({
  name: 'workers/worker-1',
  state: WorkerState.ACTIVE,
  health: WorkerHealth.HEALTHY,
  slotCount: 4,
  usedSlotCount: 2,
})

let server: ScriptedServer
let cordons: CordonWorkerRequest[] = []
let drains: DrainWorkerRequest[] = []
let deletions: DeleteWorkerRequest[] = []
let updates: UpdateWorkerRequest[] = []
let windows: GetWorkerStatsRequest[] = []
/** What GetWorker answers next; the last one again and again. */
let looks: Worker[] = []

function draining(remainingCount: number, change: Partial<Worker> = {}): Worker {
  return Worker.fromPartial({
    ...active,
    state: WorkerState.DRAINING,
    stateReason: 'new kernel',
    stateActor: 'token:admin',
    drain: { initialCount: 3, remainingCount },
    ...change,
  })
}

beforeAll(async () => {
  server = await startScriptedServer({
    cordonWorker(request) {
      cordons.push(request)
      return { worker: Worker.fromPartial({ ...active, state: WorkerState.CORDONED }) }
    },
    drainWorker(request) {
      drains.push(request)
      return { worker: draining(3) }
    },
    releaseWorker: () => ({ worker: active }),
    deleteWorker(request) {
      deletions.push(request)
      if (request.force) return {}
      throw new RotaError('WORKER_CONNECTED', 'worker worker-1 is connected', { hint: 'Drain it.' })
    },
    updateWorker(request) {
      updates.push(request)
      return { worker: Worker.fromPartial({ ...active, labels: { region: 'eu' } }) }
    },
    getWorkerStats(request) {
      windows.push(request)
      return GetWorkerStatsResponse.fromPartial({
        succeededCount: 12n,
        failedCount: 1n,
        busyRatio: 0.256,
        durationP95: { seconds: 2n, nanos: 0 },
        reconnectCount: 1n,
      })
    },
    getWorker: () => ({ worker: looks.length > 1 ? looks.shift() : looks[0] }),
  })
})
afterAll(() => server.stop())

const run = (argv: readonly string[], options: CliOptions = {}) => {
  cordons = []
  drains = []
  deletions = []
  updates = []
  windows = []
  return rota(['worker', ...argv], { dataDir: server.dataDir, ...options })
}

/** On a terminal that is answered with `answer`. */
const asked = (argv: readonly string[], answer: string) =>
  run(argv, { columns: 80, env: { NO_COLOR: '1' }, stdin: answer })

describe('worker cordon and release', () => {
  it('say what that means', async () => {
    const { stdout } = await run(['cordon', 'worker-1', '--reason', 'new disk'])
    expect(stdout).toBe('worker worker-1 cordoned: it gets no new work; what runs there goes on\n')
    expect(cordons).toEqual([{ name: 'workers/worker-1', reason: 'new disk' }])
    expect((await run(['release', 'worker-1'])).stdout).toBe(
      'worker worker-1 released: it gets work again\n',
    )
    expect((await run(['cordon', 'worker-1', '-o', 'name'])).stdout).toBe('workers/worker-1\n')
  })
})

describe('worker drain', () => {
  it('sends deadline and reason, and says how much still runs', async () => {
    const { stdout } = await run(['drain', 'worker-1', '--deadline', '10m', '--reason', 'why'])
    expect(drains).toMatchObject([{ deadline: { seconds: 600n }, force: false, reason: 'why' }])
    expect(stdout).toBe('worker worker-1 drains: 3 of 3 still running\n')
  })

  it('waits until it is drained, and shows each step once', async () => {
    looks = [
      draining(3),
      draining(1),
      Worker.fromPartial({ ...active, state: WorkerState.DRAINED }),
    ]
    const { stdout, stderr, exitCode } = await run(['drain', 'worker-1', '--wait'])
    expect(stderr).toBe('3 of 3 still running\n1 of 3 still running\n')
    expect(stdout).toBe('worker worker-1 drained\n')
    expect(exitCode).toBe(0)
  })

  it('ends as a conflict when somebody releases it meanwhile', async () => {
    looks = [active]
    const { stderr, exitCode } = await run(['drain', 'worker-1', '--wait'])
    expect(exitCode).toBe(5)
    expect(stderr).toContain('worker worker-1 does not drain any more: it is active')
  })

  it('goes on when nobody waits any more', async () => {
    looks = [draining(2)]
    const interrupt = new AbortController()
    const { stderr, exitCode } = await run(['drain', 'worker-1', '--wait'], {
      interrupt: interrupt.signal,
      onOutput: ({ stderr }) => stderr.includes('2 of 3') && interrupt.abort(),
    })
    expect(exitCode).toBe(130)
    expect(stderr).toContain('The drain goes on.')
    expect(stderr).toContain('rota worker release worker-1')
  })

  it('asks before --force on a terminal, and nobody else', async () => {
    const no = await asked(['drain', 'worker-1', '--force'], 'n\n')
    expect(no).toMatchObject({ exitCode: 1, stdout: '' })
    expect(no.stderr).toContain('Stop what runs on worker-1 now?')
    expect(drains).toEqual([])
    await asked(['drain', 'worker-1', '--force'], 'y\n')
    expect(drains).toMatchObject([{ force: true, deadline: undefined }])
    await asked(['drain', 'worker-1', '--force', '--yes'], '')
    expect(drains).toHaveLength(1)
    await run(['drain', 'worker-1', '--force'])
    expect(drains).toHaveLength(1)
  })

  it('refuses two deadlines', async () => {
    const { exitCode, stderr } = await run(['drain', 'x', '--force', '--deadline', '1m'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('--force: is a deadline of 0')
  })
})

describe('worker delete', () => {
  it('asks on a terminal; an answer that never comes is no', async () => {
    for (const answer of ['', 'no\n', 'yess\n']) {
      expect((await asked(['delete', 'worker-1', '--force'], answer)).exitCode).toBe(1)
      expect(deletions).toEqual([])
    }
    const { stdout } = await asked(['delete', 'worker-1', '--force'], 'yes\n')
    expect(stdout).toBe('worker worker-1 deleted\n')
    expect(deletions).toEqual([{ name: 'workers/worker-1', force: true }])
  })

  it('says what to do about one that is connected', async () => {
    const { exitCode, stderr } = await run(['delete', 'worker-1'])
    expect(exitCode).toBe(5)
    expect(stderr).toContain('hint:  Drain it.')
  })
})

describe('worker label and set', () => {
  it('set and take away single labels', async () => {
    const { stdout } = await run(['label', 'worker-1', 'region=eu', 'note=a=b', 'tier-'])
    expect(updates).toMatchObject([
      {
        worker: { name: 'workers/worker-1', labels: { region: 'eu', note: 'a=b' } },
        updateMask: ['labels.region', 'labels.note', 'labels.tier'],
      },
    ])
    expect(stdout).toBe('worker worker-1 labels: region=eu\n')
  })

  it('refuses what is neither', async () => {
    for (const change of ['region', '=x', '-']) {
      expect((await run(['label', 'worker-1', '--', change])).exitCode).toBe(2)
    }
    expect((await run(['label', 'worker-1'])).exitCode).toBe(2)
    expect(updates).toEqual([])
  })

  it('change slots and name', async () => {
    expect((await run(['set', 'worker-1', '--slots', '2'])).stdout).toBe(
      'worker worker-1 has 4 slots\n',
    )
    expect(updates).toMatchObject([{ worker: { slotCount: 2 }, updateMask: ['slot_count'] }])
    await run(['set', 'worker-1', '--slots', 'all', '--display-name', ''])
    expect(updates).toMatchObject([
      { worker: { slotCount: 0, displayName: '' }, updateMask: ['slot_count', 'display_name'] },
    ])
    expect((await run(['set', 'worker-1'])).exitCode).toBe(2)
    expect((await run(['set', 'worker-1', '--slots', '0'])).exitCode).toBe(2)
  })
})

describe('worker stats', () => {
  it('shows them in words', async () => {
    const { stdout } = await run(['stats', 'worker-1', '--window', '1d'])
    expect(windows).toMatchObject([{ window: { seconds: 86_400n } }])
    expect(stdout).toBe(
      [
        'worker     worker-1',
        'window     the last 1d',
        'attempts   12 succeeded, 1 failed',
        'now        0 running',
        'busy       26% of the time of its slots',
        'takes      2s (95th percentile)',
        'connected  once',
        '',
      ].join('\n'),
    )
  })
})

describe('worker get', () => {
  it('shows why it is as it is, and how far a drain is, within 80 columns', async () => {
    looks = [
      draining(1, {
        health: WorkerHealth.WARNING,
        healthMessage: 'CPU at 97 %',
        load: { cpuRatio: 0.97, memoryRatio: 0.4, diskRatio: 0.7, eventLoopDelay: undefined },
        refusedMessageCount: 3n,
      }),
    ]
    const { stdout } = await run(['get', 'worker-1'], { columns: 80, env: { NO_COLOR: '1' } })
    expect(stdout).toMatch(/^health +warning, draining: CPU at 97 %$/m)
    expect(stdout).toMatch(/^state +draining by token:admin: new kernel$/m)
    expect(stdout).toMatch(/^drain +1 of 3 still running$/m)
    expect(stdout).toMatch(/^load +cpu 97%, memory 40%, disk 70%$/m)
    expect(stdout).toMatch(/^refused +3 messages$/m)
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
  })
})

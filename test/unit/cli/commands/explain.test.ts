import { afterAll, beforeAll, expect, it } from 'vitest'
import { Execution, ExecutionState } from '../../../../proto/gen/rota/v1/execution.ts'
import { ExplainExecutionResponse } from '../../../../proto/gen/rota/v1/execution_service.ts'
import { Job, JobState } from '../../../../proto/gen/rota/v1/job.ts'
import { GetJobStatusResponse } from '../../../../proto/gen/rota/v1/job_service.ts'
import { rota, type ScriptedServer, startScriptedServer } from '../../../support/cli.ts'

const ID = '0198c5d2-7a1b-7000-8000-000000000001'
const reason = {
  code: 'NO_ELIGIBLE_WORKER',
  message: 'no worker has what it needs (gpu). The cluster: 1 worker, 1 healthy.',
  details: {},
}
const queued = Execution.fromPartial({
  name: `executions/${ID}`,
  job: 'jobs/train',
  state: ExecutionState.QUEUED,
  reason,
})

let server: ScriptedServer
let explanation: Partial<ExplainExecutionResponse> = {}
/** What GetExecution answers next; the last one again and again. */
let looks: Execution[] = []

beforeAll(async () => {
  server = await startScriptedServer({
    triggerJob: () => ({ execution: queued }),
    explainExecution: () => ExplainExecutionResponse.fromPartial(explanation),
    getJobStatus: () =>
      GetJobStatusResponse.fromPartial({
        job: Job.fromPartial({ name: 'jobs/train', state: JobState.ACTIVE }),
        queuedCount: 1,
        queueReason: reason,
      }),
    getExecution: () => ({ execution: looks.length > 1 ? looks.shift() : looks[0] }),
  })
})
afterAll(() => server.stop())

const run = (...argv: string[]) =>
  rota(argv, { dataDir: server.dataDir, columns: 80, env: { NO_COLOR: '1' } })

it('job trigger warns when nobody can run it, and triggers it all the same', async () => {
  const { exitCode, stdout, stderr } = await run('job', 'trigger', 'train')
  expect(exitCode).toBe(0)
  expect(stdout).toBe(`execution ${ID} queued\n`)
  expect(stderr).toContain(`warning: it waits: ${reason.message}  [NO_ELIGIBLE_WORKER]\n`)
})

it('job status says why the queue stands still', async () => {
  const { stdout } = await run('job', 'status', 'train')
  expect(stdout).toMatch(/^waits +no worker has what it needs \(gpu\)\./m)
})

it('exec explain shows each worker and what would help, within 80 columns', async () => {
  explanation = {
    state: ExecutionState.QUEUED,
    reason,
    queuePosition: 3n,
    remedies: ['Add a worker that has gpu, or change the placement of the job.'],
    workers: [
      { worker: 'workers/free', eligible: true, rejections: [] },
      rejected('busy', 'WORKER_BUSY', '4 of 4 slots used'),
      rejected('away', 'WORKER_UNAVAILABLE', `cordoned: ${'x'.repeat(100)}`),
      rejected('plain', 'WORKER_UNFIT', 'plain lacks the capability gpu.'),
    ],
  }
  const { stdout } = await run('exec', 'explain', ID)
  expect(stdout).toMatch(/^place +3 in its queue$/m)
  expect(stdout).toMatch(/^remedies +Add a worker that has gpu/m)
  expect(stdout).toMatch(/^free +now +-$/m)
  expect(stdout).toMatch(/^busy +when free +4 of 4 slots used$/m)
  expect(stdout).toMatch(/^away +not now +cordoned: x+…$/m)
  expect(stdout).toMatch(/^plain +no +plain lacks the capability gpu\.$/m)
  expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(80)
})

it('exec explain says when there is nothing to explain', async () => {
  explanation = { state: ExecutionState.QUEUED, queuePosition: 1n }
  expect((await run('exec', 'explain', ID)).stdout).toMatch(/^why +a worker is free for it/m)
  explanation = { state: ExecutionState.RUNNING }
  expect((await run('exec', 'explain', ID)).stdout).toBe(`execution  ${ID}\nstate      running\n`)
})

it('waiting says once why it waits, however the numbers in it change', async () => {
  const busy = (used: number) => ({ code: 'NO_FREE_SLOT', message: `${used} used`, details: {} })
  looks = [
    { ...queued, reason: busy(4) },
    { ...queued, reason: busy(3) },
    { ...queued, state: ExecutionState.SUCCEEDED, reason: undefined },
  ]
  const { stderr } = await run('exec', 'wait', ID)
  expect(stderr).toBe('queued: 4 used  [NO_FREE_SLOT]\n')
})

function rejected(name: string, code: string, message: string) {
  return {
    worker: `workers/${name}`,
    eligible: false,
    rejections: [{ code, message, details: {} }],
  }
}

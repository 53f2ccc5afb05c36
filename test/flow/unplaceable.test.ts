import { afterAll, beforeAll, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { connectScripted, finished, joinScripted } from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

test('what nobody can run says so wherever one looks, and is refused nowhere', async () => {
  const identity = await joinScripted(rota, 'gpu-1')
  const gpu = await connectScripted(rota, identity, { capabilities: ['shell', 'gpu'], slots: 1 })
  await connectScripted(rota, await joinScripted(rota, 'plain-1'), { capabilities: ['shell'] })
  await rota.createJob('train', { ...shell('true'), placement: { capabilities: ['gpu'] } })
  await rota.workers.cordonWorker({ name: 'workers/gpu-1', reason: 'new disk' })

  const triggered = await rota.trigger('train')
  const expected = {
    code: 'NO_ELIGIBLE_WORKER',
    message:
      '1 worker could run it and none is available: gpu-1 (cordoned: new disk; healthy, 1 of 1 slot free). ' +
      'The cluster: 2 workers, 2 healthy; 1 cordoned.',
    details: {},
  }
  expect(triggered).toMatchObject({ state: ExecutionState.QUEUED, reason: expected })
  expect((await rota.execution(triggered.name)).reason).toEqual(expected)
  const status = await rota.jobs.getJobStatus({ name: 'jobs/train' })
  expect(status.queueReason).toEqual(expected)
  expect(await rota.executions.explainExecution({ name: triggered.name })).toEqual({
    state: ExecutionState.QUEUED,
    reason: expected,
    workers: [
      {
        worker: 'workers/gpu-1',
        eligible: false,
        rejections: [
          {
            code: 'WORKER_UNAVAILABLE',
            message: 'cordoned: new disk; healthy, 1 of 1 slot free',
            details: {},
          },
        ],
      },
      {
        worker: 'workers/plain-1',
        eligible: false,
        rejections: [
          { code: 'WORKER_UNFIT', message: 'plain-1 lacks the capability gpu.', details: {} },
        ],
      },
    ],
    remedies: [
      'Put gpu-1 back into service: rota worker release gpu-1',
      'Add a worker that has gpu, shell, or change the placement of the job.',
    ],
    queuePosition: 1n,
  })

  await rota.workers.releaseWorker({ name: 'workers/gpu-1' })
  const { epoch } = await gpu.assignment(triggered.name)
  expect((await rota.execution(triggered.name)).reason).toBeUndefined()
  const first = await rota.trigger('train')
  const second = await rota.trigger('train')
  expect(first.reason?.code).toBe('NO_FREE_SLOT')
  const { queuePosition, remedies } = await rota.executions.explainExecution({ name: second.name })
  expect(queuePosition).toBe(2n)
  expect(remedies[0]).toBe('Wait for a free slot.')

  await gpu.report({ finished: [finished({ execution: triggered.name, epoch })] })
  expect(await rota.executions.explainExecution({ name: triggered.name })).toMatchObject({
    state: ExecutionState.SUCCEEDED,
    workers: [],
    remedies: [],
    queuePosition: 0n,
  })
})

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

test('a hello that was held up does not end what its worker was given after a later one', async () => {
  const identity = await joinScripted(rota, 'held-up')
  const session = await connectScripted(rota, identity, { order: 20n })
  await rota.createJob('backup', shell('true'))
  const { name: execution } = await rota.trigger('backup', { worker: 'workers/held-up' })
  const { epoch } = await session.assignment(execution)
  const startTime = new Date()
  await session.report({
    accepted: [{ execution, epoch }],
    started: [{ execution, epoch, startTime }],
  })
  // It was said before, holds nothing, and arrives now.
  await expect(connectScripted(rota, identity, { order: 10n })).rejects.toMatchObject({
    reason: 'SESSION_ENDED',
  })
  // The session goes on as if nothing had been: its result is taken, and is the only one.
  await session.report({ finished: [finished({ execution, epoch })] })
  const { attempts, state } = await rota.ended(execution)
  expect(state).toBe(ExecutionState.SUCCEEDED)
  expect(attempts).toHaveLength(1)
  // A later one is taken, and so is one of an agent that does not number them.
  for (const order of [21n, 0n]) {
    const next = await connectScripted(rota, identity, { order })
    expect(next.welcome.session).not.toBe(session.welcome.session)
    next.cut()
  }
})

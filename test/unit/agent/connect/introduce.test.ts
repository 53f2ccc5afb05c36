import { pino } from 'pino'
import { expect, test } from 'vitest'
import {
  type AgentFacts,
  composeHello,
  createHelloOrder,
} from '../../../../agent/connect/introduce.ts'
import { AttemptStore } from '../../../../agent/report/attempt-store.ts'
import { type Assignment, Finished } from '../../../../proto/gen/rota/agent/v1/agent_service.ts'
import { shellOf } from '../../../support/assignments.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const facts: AgentFacts = {
  agentVersion: '1',
  hostname: 'host',
  platform: 'linux-x64',
  bootId: 'boot',
  slots: 1,
  capabilities: ['shell'],
  handlers: [],
  labels: {},
}

test('hello names what is being journaled, and leaves out what was acknowledged', async () => {
  const disk = Promise.withResolvers<void>()
  let isSlow = false
  const journal = {
    append: () => (isSlow ? disk.promise : Promise.resolve()),
    close: async () => {},
  }
  const store = await AttemptStore.open({
    openJournal: async () => ({ journal, records: [] }),
    needsJournal: () => true,
    needsSync: () => true,
    clock: createFakeClock(),
    logger: pino({ level: 'silent' }),
  })
  const [ended, running] = [shellOf('true'), shellOf('sleep 1')]
  const accept = (assignment: Assignment) => {
    store.add(assignment)
    return store.accept([assignment])
  }
  await accept(ended)
  const { execution, epoch } = ended
  await store.finish(Finished.fromPartial({ execution, epoch }), { stdoutBytes: 0, stderrBytes: 0 })
  store.acknowledge([ended])
  isSlow = true
  const accepting = accept(running)
  const { held } = composeHello({
    facts,
    protocolVersion: 2,
    store,
    previousSession: '',
    order: 1n,
  })
  expect(held).toEqual([{ execution: running.execution, epoch: running.epoch, finished: false }])
  disk.resolve()
  await accepting
})

test('the order of hellos rises with the clock, and also when the clock does not', async () => {
  const clock = createFakeClock()
  const next = createHelloOrder(clock)
  const first = next()
  expect(first).toBe(BigInt(clock.now().getTime()))
  expect(next()).toBe(first + 1n)
  await clock.advance(5_000)
  expect(next()).toBe(first + 5_000n)
  expect(createHelloOrder(clock)()).toBe(first + 5_000n)
})

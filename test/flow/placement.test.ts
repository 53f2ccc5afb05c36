import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { handler, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

/** A scripted worker: `hello` says what it can do. */
async function worker(name: string, hello: object): Promise<ScriptedSession> {
  return connectScripted(rota, await joinScripted(rota, name), hello)
}

async function acceptAndFinish(session: ScriptedSession, execution: string, change: object = {}) {
  const { epoch } = await session.assignment(execution)
  const ref = { execution, epoch }
  await session.report({ accepted: [ref], started: [{ ...ref, startTime: new Date() }] })
  await session.report({ finished: [finished(ref, change)] })
}

function needing(capability: string, placement: object = {}): object {
  return { ...shell('true'), placement: { capabilities: [capability], ...placement } }
}

test('the highest priority goes first, then whoever waits the longest', async () => {
  const one = await worker('queue-1', { capabilities: ['shell', 'queue'], slots: 1 })
  for (const [name, priority] of [
    ['low', 10],
    ['middle', 50],
    ['high', 90],
  ] as const) {
    await rota.createJob(name, { ...needing('queue'), priority })
  }
  const first = await rota.trigger('low')
  await one.assignment(first.name)
  const waiting = []
  for (const name of ['low', 'middle', 'high', 'low', 'high'])
    waiting.push(await rota.trigger(name))
  const [low1, middle, high1, low2, high2] = waiting.map(({ name }) => name)
  await acceptAndFinish(one, first.name)
  for (const next of [high1, high2, middle, low1, low2]) await acceptAndFinish(one, next!)
  expect(one.assignments.map(({ execution }) => execution)).toEqual([
    first.name,
    high1,
    high2,
    middle,
    low1,
    low2,
  ])
})

test('work goes only where the capability, the handler, the labels and the pin fit', async () => {
  const plain = await worker('plain', { capabilities: ['shell'], labels: { region: 'us' } })
  const skilled = await worker('skilled', {
    capabilities: ['shell', 'gpu'],
    handlers: ['echo'],
    labels: { region: 'eu', tier: 'gold' },
  })
  const jobs = {
    'by-capability': { ...shell('true'), placement: { capabilities: ['gpu'] } },
    'by-handler': handler('echo', { message: 'hi' }),
    'by-label': { ...shell('true'), placement: { selector: 'region = eu AND NOT tier = canary' } },
    'by-pin': { ...shell('true'), placement: { worker: 'workers/skilled' } },
  }
  const names: string[] = []
  for (const [name, spec] of Object.entries(jobs)) {
    await rota.createJob(name, spec)
    names.push((await rota.trigger(name)).name)
  }
  await rota.createJob('anywhere', { ...shell('true'), placement: { selector: 'region = us' } })
  names.push((await rota.trigger('anywhere', { worker: 'workers/plain' })).name)
  const pinned = names.pop()!
  for (const name of names) await acceptAndFinish(skilled, name)
  await acceptAndFinish(plain, pinned)
  expect(plain.assignments.map(({ execution }) => execution)).toEqual([pinned])
  expect(skilled.assignments.map(({ execution }) => execution).sort()).toEqual(names.sort())
})

test('what fits nobody waits, and runs when somebody comes who can', async () => {
  await worker('once-there', { capabilities: ['shell', 'rare'] }).then(({ cut }) => cut())
  await rota.createJob('rare', needing('rare', { selector: 'kind = special' }))
  const { name } = await rota.trigger('rare')
  const special = await worker('special', {
    capabilities: ['shell', 'rare'],
    labels: { kind: 'special' },
  })
  await acceptAndFinish(special, name)
  expect((await rota.execution(name)).state).toBe(ExecutionState.SUCCEEDED)
})

test('no more slots are used than there are, whatever they weigh', async () => {
  const small = await worker('small', { capabilities: ['shell', 'slotted'], slots: 3 })
  await rota.createJob('light', needing('slotted'))
  await rota.createJob('heavy', needing('slotted', { slots: 2 }))
  const heavy = [await rota.trigger('heavy'), await rota.trigger('heavy')]
  await small.assignment(heavy[0]!.name)
  const light = [await rota.trigger('light'), await rota.trigger('light')]
  await small.assignment(light[0]!.name)
  const { worker: shown } = await rota.workers.getWorker({ name: 'workers/small' })
  expect(shown).toMatchObject({ slotCount: 3, usedSlotCount: 3 })
  expect(small.assignments).toHaveLength(2)
  await acceptAndFinish(small, heavy[0]!.name)
  await small.assignment(heavy[1]!.name)
  expect(small.assignments).toHaveLength(3)
})

test('the worker with the fewest failures in a row is chosen, however loaded', async () => {
  const bad = await worker('bad', { capabilities: ['shell', 'reliable'], slots: 8 })
  await rota.createJob('reliable', needing('reliable'))
  const failing = await rota.trigger('reliable')
  await acceptAndFinish(bad, failing.name, { outcome: AttemptOutcome.FAILED, exitCode: 1 })
  const good = await worker('good', { capabilities: ['shell', 'reliable'], slots: 8 })
  const names = await Promise.all(
    Array.from({ length: 6 }, async () => (await rota.trigger('reliable')).name),
  )
  for (const name of names) await good.assignment(name)
  expect(bad.assignments).toHaveLength(1)
  const { worker: shown } = await rota.workers.getWorker({ name: 'workers/bad' })
  expect(shown?.consecutiveFailures).toBe(1)
})

test('among equals the least used is chosen', async () => {
  const pair = [
    await worker('even-1', { capabilities: ['shell', 'even'], slots: 4 }),
    await worker('even-2', { capabilities: ['shell', 'even'], slots: 4 }),
  ]
  await rota.createJob('even', needing('even'))
  for (let index = 0; index < 6; index++) await rota.trigger('even')
  await until('all are assigned', () => pair.flatMap(({ assignments }) => assignments).length === 6)
  expect(pair.map(({ assignments }) => assignments.length)).toEqual([3, 3])
})

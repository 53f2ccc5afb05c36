import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AttemptStore } from '../../../../agent/report/attempt-store.ts'
import { Journal } from '../../../../agent/report/journal.ts'
import { type Assignment, Finished } from '../../../../proto/gen/rota/agent/v1/agent_service.ts'
import { Guarantee } from '../../../../proto/gen/rota/v1/job.ts'
import { handlerOf, shellOf } from '../../../support/assignments.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const logger = pino({ level: 'silent' })
const SHARE = { stdoutBytes: 1, stderrBytes: 2 }
const PROCESS = { pid: 7, startTicks: '8', bootId: 'boot' }
const clock = createFakeClock()
let folder: string
let store: AttemptStore

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rota-store-'))
  store = await open()
})

afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

function open(): Promise<AttemptStore> {
  return AttemptStore.open({
    openJournal: (living) => Journal.open({ file: join(folder, 'journal'), logger, living }),
    needsJournal: ({ task }) => task?.kind?.$case !== 'handler',
    needsSync: ({ guarantee }) => guarantee === Guarantee.EXCLUSIVE,
    clock,
    logger,
  })
}

async function reopen(): Promise<void> {
  await store.close()
  store = await open()
}

function accept(assignment: Assignment): Promise<void> {
  store.add(assignment)
  return store.accept([assignment])
}

function resultOf(assignment: Assignment, message = 'done'): Finished {
  const { execution, epoch } = assignment
  return Finished.fromPartial({ execution, epoch, message, outputs: { a: [1, 'b', null] } })
}

test('an attempt counts as journaled only when its assignment is on the disk', async () => {
  const assignment = shellOf('true')
  const accepting = accept(assignment)
  expect(store.get(assignment)?.isAccepted).toBe(false)
  await accepting
  expect(store.get(assignment)?.isAccepted).toBe(true)
})

test('each step of an attempt survives a restart', async () => {
  const assignment = shellOf('true')
  await accept(assignment)
  await reopen()
  expect(store.get(assignment)).toMatchObject({ isAccepted: true, result: undefined })
  store.start(assignment, PROCESS)
  store.cap(assignment, SHARE)
  await reopen()
  expect(store.get(assignment)).toMatchObject({ process: PROCESS, capped: SHARE })
  await store.finish(resultOf(assignment), SHARE)
  store.acknowledge([assignment])
  await reopen()
  const stored = store.get(assignment)
  expect(stored).toMatchObject({ assignment: undefined, result: { share: SHARE } })
  expect(stored?.result?.finished).toEqual(resultOf(assignment))
  expect(stored?.acknowledgedAtMs).toBe(clock.now().getTime())
})

test('the newest epoch of an execution is found', async () => {
  const older = shellOf('true')
  const newer = shellOf('true', { execution: older.execution })
  await accept(newer)
  await accept(older)
  expect(store.newest(older.execution)?.epoch).toBe(newer.epoch)
  expect(store.newest(shellOf('true').execution)).toBeUndefined()
})

test('acknowledged attempts are forgotten ten minutes later, others never', async () => {
  const done = shellOf('true')
  const open = shellOf('true')
  for (const assignment of [done, open]) {
    await accept(assignment)
    await store.finish(resultOf(assignment), SHARE)
  }
  store.acknowledge([done])
  await clock.advance(9 * 60_000)
  store.forgetOld()
  expect(store.get(done)).toBeDefined()
  await clock.advance(2 * 60_000)
  store.forgetOld()
  expect(store.get(done)).toBeUndefined()
  expect(store.get(open)).toBeDefined()
})

test('what is remembered has a limit, and the oldest goes first', async () => {
  const assignments = Array.from({ length: 20 }, () => shellOf('true'))
  for (const assignment of assignments) {
    await accept(assignment)
    await store.finish(resultOf(assignment, 'x'.repeat(120_000)), SHARE)
    store.acknowledge([assignment])
    await clock.advance(1_000)
  }
  store.forgetOld()
  const kept = assignments.map((assignment) => store.get(assignment) !== undefined)
  expect(kept.filter(Boolean).length).toBeLessThan(10)
  expect(kept.at(-1)).toBe(true)
  expect(kept[0]).toBe(false)
})

test('results that were acknowledged are given again, oldest first, and no others', async () => {
  const assignments = [shellOf('true'), shellOf('true'), shellOf('true')]
  for (const assignment of assignments) {
    await accept(assignment)
    await store.finish(resultOf(assignment), SHARE)
  }
  const [first, second] = assignments
  store.acknowledge([second!])
  await clock.advance(1_000)
  store.acknowledge([first!])
  await reopen()
  expect(store.acknowledgedResults()).toEqual([resultOf(second!), resultOf(first!)])
})

describe('what dies with the agent anyway and may be run again', () => {
  test('may run at once, and is not found by the agent that comes after a killed one', async () => {
    const assignment = handlerOf('noop')
    await accept(assignment)
    expect(store.get(assignment)?.isAccepted).toBe(true)
    await store.finish(resultOf(assignment), SHARE)
    const [killed, next] = [store, await open()]
    expect(next.list()).toEqual([])
    await killed.close()
    store = next
  })

  test('is found as soon as it has left something on the disk', async () => {
    const assignment = handlerOf('noop')
    await accept(assignment)
    store.keep(assignment)
    store.cap(assignment, SHARE)
    await reopen()
    expect(store.get(assignment)).toMatchObject({ capped: SHARE, result: undefined })
    await store.finish(resultOf(assignment), SHARE)
    await reopen()
    expect(store.get(assignment)?.result?.finished).toEqual(resultOf(assignment))
  })

  test('is written down when the agent stops, also when that makes the journal compact itself', async () => {
    const assignments = Array.from({ length: 6 }, () => handlerOf('noop'))
    for (const assignment of assignments) {
      await accept(assignment)
      await store.finish(resultOf(assignment, 'x'.repeat(100_000)), SHARE)
    }
    await reopen()
    expect(store.list().map(({ execution }) => execution)).toEqual(
      assignments.map(({ execution }) => execution),
    )
  })

  test('is written down with its result when the agent stops in order', async () => {
    const [told, untold] = [handlerOf('noop'), handlerOf('noop')]
    for (const assignment of [told, untold]) {
      await accept(assignment)
      await store.finish(resultOf(assignment), SHARE)
    }
    store.acknowledge([told])
    await reopen()
    expect(store.acknowledgedResults()).toEqual([resultOf(told)])
    expect(store.get(untold)).toMatchObject({ result: { finished: resultOf(untold) } })
    expect(store.get(untold)?.acknowledgedAtMs).toBeUndefined()
  })
})

import { expect, test } from 'vitest'
import { isUuid, newId, occurrenceExecutionId } from '../../../shared/ids.ts'
import { systemRandom } from '../../../shared/random.ts'
import { createFakeClock } from '../../support/fake-clock.ts'

const JOB = '018f6d2a-0000-7000-8000-000000000001'
const DUE = new Date('2026-11-20T10:00:00Z')

test('new ids are UUIDs of version 7 that sort by their time', async () => {
  const clock = createFakeClock()
  const ids: string[] = []
  for (let round = 0; round < 50; round++) {
    ids.push(newId(clock, systemRandom))
    await clock.advance(1)
  }
  expect(ids.every(isUuid)).toBe(true)
  expect(new Set(ids.map((id) => id[14]))).toEqual(new Set(['7']))
  expect(new Set(ids.map((id) => id[19]))).toSatisfy((digits: Set<string>) =>
    [...digits].every((digit) => '89ab'.includes(digit)),
  )
  expect([...ids].sort()).toEqual(ids)
})

test('two ids of one moment differ', () => {
  const clock = createFakeClock()
  expect(newId(clock, systemRandom)).not.toBe(newId(clock, systemRandom))
})

test('the id of a due time is the same wherever and whenever it is made', () => {
  const id = occurrenceExecutionId(JOB, DUE)
  // Stored by every release: a change here would run due times twice after a restore.
  expect(id).toBe('10f3903c-4337-5e54-8bb8-f789d35db816')
  expect(isUuid(id)).toBe(true)
  expect(id[14]).toBe('5')
})

test('another job or another due time has another id', () => {
  const ids = [
    occurrenceExecutionId(JOB, DUE),
    occurrenceExecutionId(JOB, new Date(DUE.getTime() + 1)),
    occurrenceExecutionId('018f6d2a-0000-7000-8000-000000000002', DUE),
  ]
  expect(new Set(ids).size).toBe(3)
})

test.each(['', 'x', JOB.toUpperCase(), JOB.slice(1), `${JOB}0`, JOB.replaceAll('-', '')])(
  '%j is no UUID',
  (text) => {
    expect(isUuid(text)).toBe(false)
  },
)

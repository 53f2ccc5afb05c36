import { expect, test } from 'vitest'
import type { WorkerId } from '../../../../../coordinator/job/execution.ts'
import { HelloGate } from '../../../../../coordinator/rpc/limits/hello-gate.ts'
import { Hello } from '../../../../../proto/gen/rota/agent/v1/agent_service.ts'
import { RotaError } from '../../../../../shared/errors/rota-error.ts'
import { createFakeClock } from '../../../../support/fake-clock.ts'

function openGate() {
  const clock = createFakeClock()
  const impostors: string[] = []
  const gate = new HelloGate(clock, (_, detail) => void impostors.push(detail))
  return { clock, gate, impostors }
}

function worker(number: number): WorkerId {
  return number as WorkerId
}

const HELLO = Hello.fromPartial({ bootId: 'boot-1', hostname: 'host-1' })

test('five hundred agents that come at once all get in, within the time that an agent waits', async () => {
  const { clock, gate } = openGate()
  let inside = 0
  let mostInside = 0
  const entries = Array.from({ length: 500 }, async (_, index) =>
    gate.pass(worker(index), HELLO, async () => {
      inside += 1
      mostInside = Math.max(mostInside, inside)
      await Promise.resolve()
      inside -= 1
      return clock.monotonicMs()
    }),
  )
  for (let ms = 0; ms < 3_500; ms += 50) await clock.advance(50)
  const times = await Promise.all(entries)
  expect(mostInside).toBeLessThanOrEqual(2)
  // Fifty at once and two hundred per second, in the order in which they came.
  expect(times.at(-1)).toBeGreaterThan(2_000)
  expect(times.at(-1)).toBeLessThanOrEqual(2_500)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(clock.pending).toBe(0)
})

test('more than can get in are told to come again', async () => {
  const { clock, gate } = openGate()
  const results = Array.from({ length: 2_000 }, async (_, index) =>
    gate.pass(worker(index), HELLO, async () => 'in').catch((error: RotaError) => error),
  )
  expect(gate.waiting).toBe(700)
  for (let ms = 0; ms < 4_000; ms += 100) await clock.advance(100)
  const settled = await Promise.all(results)
  const refused = settled.filter((each) => each instanceof RotaError)
  expect(settled.length - refused.length).toBe(702)
  expect(refused[0]).toMatchObject({ reason: 'OVERLOADED', retryAfterMs: 1_000 })
})

test('while the database is slow only a few are inside, and the others do not wait for ever', async () => {
  const { clock, gate } = openGate()
  const { promise: slow, resolve } = Promise.withResolvers<void>()
  let inside = 0
  const results = Array.from({ length: 10 }, async (_, index) =>
    gate
      .pass(worker(index), HELLO, async () => {
        inside += 1
        await slow
        return 'in'
      })
      .catch((error: RotaError) => error.reason),
  )
  await clock.advance(3_500)
  expect(inside).toBe(2)
  resolve()
  expect((await Promise.all(results)).sort()).toEqual([
    ...Array.from({ length: 8 }, () => 'OVERLOADED'),
    ...Array.from({ length: 2 }, () => 'in'),
  ])
  expect(gate.waiting).toBe(0)
})

test('a session that fails to open makes room for the next', async () => {
  const { gate } = openGate()
  for (let index = 0; index < 8; index++) {
    const failing = gate.pass(worker(index), HELLO, async () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
  }
  expect(await gate.pass(worker(9), HELLO, async () => 'in')).toBe('in')
})

test('one worker that begins again and again is slowed down, not the others', async () => {
  const { clock, gate } = openGate()
  const pass = async (number: number) => gate.pass(worker(number), HELLO, async () => 'in')
  for (let count = 0; count < 10; count++) await pass(1)
  await expect(pass(1)).rejects.toMatchObject({ reason: 'RATE_LIMITED', retryAfterMs: 2_000 })
  expect(await pass(2)).toBe('in')
  await clock.advance(2_000)
  expect(await pass(1)).toBe('in')
})

test('two agents with one identity are told from one that is started again', async () => {
  const { gate, impostors } = openGate()
  const hello = async (bootId: string) =>
    gate.pass(worker(1), { ...HELLO, bootId }, async () => 'in')
  for (const boot of ['a', 'a', 'b', 'c', 'c']) await hello(boot)
  expect(impostors).toEqual([])
  for (const boot of ['b', 'c']) await hello(boot)
  expect(impostors).toEqual(Array(2).fill('two agents use its certificate, one of them on host-1'))
})

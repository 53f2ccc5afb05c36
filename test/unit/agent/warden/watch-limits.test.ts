import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StopSwitch } from '../../../../agent/warden/stop-switch.ts'
import { watchLimits } from '../../../../agent/warden/watch-limits.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'
import { until } from '../../../support/until.ts'

const DAY_MS = 86_400_000

function watch(timeoutMs: number | undefined, outputFiles: readonly string[] = []) {
  const clock = createFakeClock()
  const stop = new StopSwitch()
  const unwatch = watchLimits({ clock, stop, timeoutMs, killGraceMs: 5_000, outputFiles })
  return { clock, stop, unwatch }
}

test('a timeout stops the attempt on the millisecond', async () => {
  const { clock, stop } = watch(2_500)
  await clock.advance(2_499)
  expect(stop.cause).toBeUndefined()
  await clock.advance(1)
  expect(stop.cause).toEqual({ kind: 'timeout', timeoutMs: 2_500 })
  expect(clock.pending).toBe(0)
})

test('an attempt that ended in time is not stopped', async () => {
  const { clock, stop, unwatch } = watch(2_500)
  await clock.advance(2_000)
  unwatch()
  await clock.advance(10_000)
  expect(stop.cause).toBeUndefined()
  expect(clock.pending).toBe(0)
})

test('a timeout beyond what timers can wait is waited for', async () => {
  const timed: number[] = []
  const clock = createFakeClock()
  const after = clock.after.bind(clock)
  clock.after = (delayMs, fn) => {
    timed.push(delayMs)
    return after(delayMs, fn)
  }
  const stop = new StopSwitch()
  watchLimits({ clock, stop, timeoutMs: 30 * DAY_MS, killGraceMs: 0, outputFiles: [] })
  await clock.advance(3_000)
  expect(stop.cause).toBeUndefined()
  expect(Math.max(...timed)).toBeLessThan(2 ** 31)
})

test('more than 1 GiB of output stops the attempt', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-limits-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'stdout')
  writeFileSync(file, '')
  const { clock, stop } = watch(undefined, [file, join(folder, 'none')])
  await clock.advance(1_000)
  expect(stop.cause).toBeUndefined()
  // Sparse: it takes no room.
  truncateSync(file, 1024 ** 3 + 1)
  await until('it is noticed', async () => {
    await clock.advance(1_000)
    return stop.cause
  })
  expect(stop.cause).toEqual({ kind: 'output_limit', limitBytes: 1024 ** 3 })
})

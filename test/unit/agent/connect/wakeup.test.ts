import { expect, test } from 'vitest'
import { Wakeup } from '../../../../agent/connect/wakeup.ts'

test('a wake-up before the wait is not lost, and counts once', async () => {
  const wakeup = new Wakeup()
  wakeup.wake()
  wakeup.wake()
  await wakeup.wait()
  let isWoken = false
  const waiting = wakeup.wait().then(() => {
    isWoken = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isWoken).toBe(false)
  wakeup.wake()
  await waiting
  expect(isWoken).toBe(true)
})

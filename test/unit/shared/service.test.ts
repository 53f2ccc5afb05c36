import { expect, test } from 'vitest'
import { inOrder, type Service } from '../../../shared/service.ts'

function setUp(names: readonly string[], failing?: string) {
  const events: string[] = []
  const services = names.map(
    (name): Service => ({
      async start() {
        events.push(`start ${name}`)
        if (name === failing) throw new Error(`${name} failed`)
      },
      async stop() {
        events.push(`stop ${name}`)
      },
    }),
  )
  return { events, whole: inOrder(services) }
}

test('services start in order and stop in reverse, once', async () => {
  const { events, whole } = setUp(['a', 'b', 'c'])
  await whole.start()
  await whole.stop()
  await whole.stop()
  expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
})

test('when one fails half way, it and those before it are stopped and the error is kept', async () => {
  const { events, whole } = setUp(['a', 'b', 'c'], 'b')
  await expect(whole.start()).rejects.toThrow('b failed')
  expect(events).toEqual(['start a', 'start b', 'stop b', 'stop a'])
})

test('a stop before any start does nothing', async () => {
  const { events, whole } = setUp(['a'])
  await whole.stop()
  expect(events).toEqual([])
})

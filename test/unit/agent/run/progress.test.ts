import { expect, test } from 'vitest'
import { Outbox } from '../../../../agent/report/outbox.ts'
import { progressReporter } from '../../../../agent/run/progress.ts'
import { shellOf } from '../../../support/assignments.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

test('progress is reported twice a second at most, within 0 and 1', async () => {
  const clock = createFakeClock()
  const outbox = new Outbox(clock, () => {})
  const report = progressReporter(shellOf('true'), outbox, clock)
  report(-5, 'a\nb')
  report(0.5, 'too soon')
  await clock.advance(100)
  expect(outbox.take(clock.monotonicMs())?.progressed).toMatchObject([
    { progress: 0, message: 'a b' },
  ])
  await clock.advance(400)
  report(Number.NaN, 'nothing')
  report(7, '')
  await clock.advance(100)
  expect(outbox.take(clock.monotonicMs())?.progressed).toMatchObject([{ progress: 1 }])
})

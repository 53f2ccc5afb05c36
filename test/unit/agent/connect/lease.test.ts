import { expect, test } from 'vitest'
import { Lease } from '../../../../agent/connect/lease.ts'
import type { LeaseTimes } from '../../../../agent/warden/messages.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

function leaseOf(clock = createFakeClock()) {
  const endings: number[] = []
  const ends: LeaseTimes[] = []
  let suspendedMs = 0
  const lease = new Lease({
    clock,
    readBootMs: () => clock.monotonicMs() + suspendedMs,
    onRenewed: (end) => ends.push(end),
    onEnding: () => endings.push(clock.monotonicMs()),
  })
  const suspend = (ms: number) => {
    suspendedMs += ms
  }
  return { clock, lease, endings, ends, suspend }
}

test('it ends 2 s before its length, counted from the sending of the renewal', async () => {
  const { clock, lease, endings } = leaseOf()
  await clock.advance(1_000)
  lease.renew(400, 12_000)
  await clock.advance(9_399)
  expect(endings).toEqual([])
  await clock.advance(10)
  expect(endings).toEqual([10_400])
})

test('a renewal in time prevents the end', async () => {
  const { clock, lease, endings } = leaseOf()
  lease.renew(0, 12_000)
  await clock.advance(9_000)
  lease.renew(8_500, 12_000)
  await clock.advance(9_000)
  expect(endings).toEqual([])
  await clock.advance(20_000)
  expect(endings).toEqual([18_500])
})

test('an answer that comes late never shortens it', async () => {
  const { clock, lease, endings } = leaseOf()
  await clock.advance(5_000)
  lease.renew(5_000, 12_000)
  lease.renew(1_000, 12_000)
  await clock.advance(9_000)
  expect(endings).toEqual([])
})

test('a short lease leaves a third of it for the end', async () => {
  const { clock, lease, endings } = leaseOf()
  lease.renew(0, 3_000)
  await clock.advance(2_500)
  expect(endings).toEqual([2_000])
})

test('after close nothing is told', async () => {
  const { clock, lease, endings } = leaseOf()
  lease.renew(0, 12_000)
  lease.close()
  await clock.advance(60_000)
  expect(endings).toEqual([])
})

test('each renewal says when guarded work is asked to end and when it is killed', () => {
  const { lease, ends } = leaseOf()
  lease.renew(0, 12_000)
  lease.renew(500, 3_000)
  lease.renew(14_000, 3_000)
  expect(ends).toEqual([
    { termAtMs: 10_000, killAtMs: 12_000 },
    { termAtMs: 16_000, killAtMs: 17_000 },
  ])
})

test('time in which the host was suspended counts', async () => {
  const { clock, lease, endings, suspend } = leaseOf()
  lease.renew(0, 12_000)
  await clock.advance(1_000)
  suspend(60_000)
  await clock.advance(1_000)
  expect(endings).toEqual([2_000])
})

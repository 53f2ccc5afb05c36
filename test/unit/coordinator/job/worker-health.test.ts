import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_LOAD, readClockSkewMs, readHostLoad } from '../../../../coordinator/job/host-load.ts'
import {
  compareHealth,
  HEALTHS,
  type HealthSigns,
  judgeHealth,
} from '../../../../coordinator/job/worker-health.ts'
import { HostLoad } from '../../../../proto/gen/rota/agent/v1/agent_service.ts'

const WELL: HealthSigns = {
  silentMs: 0,
  consecutiveFailures: 0,
  load: NO_LOAD,
  clockSkewMs: 0,
}

const judge = (signs: Partial<HealthSigns>) => judgeHealth({ ...WELL, ...signs })
const load = (change: Partial<HealthSigns['load']>) => judge({ load: { ...NO_LOAD, ...change } })

describe('the health of a worker', () => {
  it('is well without any sign, and has nothing to say then', () => {
    expect(judge({})).toEqual({ health: 'healthy', message: '' })
    expect(judge({ silentMs: 7_999, consecutiveFailures: 2, clockSkewMs: 29_999 }).health).toBe(
      'healthy',
    )
    expect(load({ cpuRatio: 0.94, diskRatio: 0.94, eventLoopDelayMs: 999 }).health).toBe('healthy')
  })

  it.each([
    [judge({ consecutiveFailures: 3 }), '3 failures in a row'],
    [load({ cpuRatio: 0.95 }), 'CPU at 95 %'],
    [load({ memoryRatio: 0.999 }), 'memory at 99 %'],
    [load({ diskRatio: 1 }), 'disk at 100 %'],
    [load({ eventLoopDelayMs: 1_500 }), 'its agent is late by 1.5s'],
    [judge({ clockSkewMs: 30_000 }), 'its clock is 30s ahead'],
    [judge({ clockSkewMs: -3_600_400 }), 'its clock is 1h behind'],
  ])('warns and says which and how much: %j', (verdict, message) => {
    expect(verdict).toEqual({ health: 'warning', message })
  })

  it('names all of several signs', () => {
    const verdict = judge({
      consecutiveFailures: 4,
      load: { ...NO_LOAD, cpuRatio: 1, diskRatio: 0.97 },
    })
    expect(verdict.message).toBe('4 failures in a row; CPU at 100 %; disk at 97 %')
  })

  it('is degraded after ten failures in a row', () => {
    expect(judge({ consecutiveFailures: 9 }).health).toBe('warning')
    expect(judge({ consecutiveFailures: 10 })).toEqual({
      health: 'degraded',
      message: '10 failures in a row',
    })
  })

  it('is unresponsive when nothing was heard for eight seconds, and offline without a session', () => {
    expect(judge({ silentMs: 9_900, consecutiveFailures: 20 })).toEqual({
      health: 'unresponsive',
      message: 'nothing heard for 9 s',
    })
    expect(judge({ silentMs: undefined })).toEqual({ health: 'offline', message: 'not connected' })
  })

  it('is not better with worse signs', () => {
    const signs = fc.record({
      silentMs: fc.double({ min: 0, max: 20_000, noNaN: true }),
      consecutiveFailures: fc.nat({ max: 20 }),
      clockSkewMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
      load: fc.constant(NO_LOAD),
    })
    fc.assert(
      fc.property(signs, signs, (a, b) => {
        const worse = {
          ...a,
          silentMs: Math.max(a.silentMs, b.silentMs),
          consecutiveFailures: Math.max(a.consecutiveFailures, b.consecutiveFailures),
          clockSkewMs: Math.max(a.clockSkewMs, b.clockSkewMs),
        }
        expect(compareHealth(judgeHealth(a).health, judgeHealth(worse).health)).toBeLessThanOrEqual(
          0,
        )
      }),
    )
  })

  it('has an order from best to worst', () => {
    expect([...HEALTHS].reverse().sort(compareHealth)).toEqual([...HEALTHS])
  })
})

describe('what an agent says of its host', () => {
  it('is taken as it is when it can be', () => {
    const said = HostLoad.fromPartial({
      cpuRatio: 0.5,
      memoryRatio: 0.25,
      diskRatio: 0.75,
      eventLoopDelay: { seconds: 1n, nanos: 500_000_000 },
    })
    expect(readHostLoad(said)).toEqual({
      cpuRatio: 0.5,
      memoryRatio: 0.25,
      diskRatio: 0.75,
      eventLoopDelayMs: 1_500,
    })
    expect(readHostLoad(undefined)).toEqual(NO_LOAD)
  })

  it('never leaves what can be, whatever it is', () => {
    const anything = fc.double()
    fc.assert(
      fc.property(
        anything,
        anything,
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        (a, b, seconds) => {
          const read = readHostLoad(
            HostLoad.fromPartial({
              cpuRatio: a,
              memoryRatio: b,
              diskRatio: -a,
              eventLoopDelay: { seconds, nanos: 0 },
            }),
          )
          for (const ratio of [read.cpuRatio, read.memoryRatio, read.diskRatio]) {
            expect(ratio >= 0 && ratio <= 1).toBe(true)
          }
          expect(read.eventLoopDelayMs >= 0 && read.eventLoopDelayMs <= 3_600_000).toBe(true)
        },
      ),
    )
  })

  it('is a clock that is off by ten years at most', () => {
    const now = new Date('2026-11-20T00:00:00Z')
    expect(readClockSkewMs(new Date(now.getTime() - 5), now)).toBe(-5)
    expect(readClockSkewMs(undefined, now)).toBe(0)
    expect(readClockSkewMs(new Date(Number.NaN), now)).toBe(0)
    expect(readClockSkewMs(new Date(8.64e15), now)).toBe(10 * 365 * 86_400_000)
  })
})

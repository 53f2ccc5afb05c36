import { describe, expect, test } from 'vitest'
import type { Principal } from '../../../../../coordinator/identity/principal.ts'
import type { WorkerId } from '../../../../../coordinator/job/execution.ts'
import { createCallLimits, networkOf } from '../../../../../coordinator/rpc/limits/call-limits.ts'
import { RotaError } from '../../../../../shared/errors/rota-error.ts'
import { createFakeClock } from '../../../../support/fake-clock.ts'

const TRIGGER = '/rota.v1.JobService/TriggerJob'
const LIST = '/rota.v1.JobService/ListJobs'
const ENROLL = '/rota.agent.v1.AgentService/Enroll'
const CONNECT = '/rota.agent.v1.AgentService/Connect'

const admin: Principal = { kind: 'token', name: 'admin', role: 'admin' }
const other: Principal = { kind: 'token', name: 'other', role: 'admin' }
const nobody: Principal = { kind: 'anonymous' }
const agent: Principal = {
  kind: 'agent',
  fingerprint: 'f',
  workerId: 1 as WorkerId,
  workerName: 'worker-1',
  expiresAt: new Date(0),
}

/** How many calls go through until one is refused, and how. */
function admitAll(admit: () => () => void, areEnded = true): { count: number; error: RotaError } {
  for (let count = 0; count < 100_000; count++) {
    try {
      const leave = admit()
      if (areEnded) leave()
    } catch (error) {
      if (error instanceof RotaError) return { count, error }
      throw error
    }
  }
  throw new Error('there is no limit')
}

describe('calls of a principal', () => {
  const call = (path: string, principal: Principal, address = '10.0.0.1') => ({
    path,
    principal,
    address,
  })

  test('that change something are limited apart from those that ask, and from those of others', async () => {
    const clock = createFakeClock()
    const limits = createCallLimits(clock)
    const { count, error } = admitAll(() => limits.admit(call(TRIGGER, admin)))
    expect(count).toBe(5_000)
    expect(error).toMatchObject({ reason: 'RATE_LIMITED', retryAfterMs: 1 })
    limits.admit(call(LIST, admin))()
    limits.admit(call(TRIGGER, other))()
    await clock.advance(1_000)
    expect(admitAll(() => limits.admit(call(TRIGGER, admin))).count).toBe(1_000)
  })

  test('are bounded while they are open', () => {
    const limits = createCallLimits(createFakeClock())
    const { count, error } = admitAll(() => limits.admit(call(CONNECT, agent)), false)
    expect([count, error.reason]).toEqual([8, 'OVERLOADED'])
    expect(admitAll(() => limits.admit(call(LIST, admin)), false).count).toBe(2_000)
  })

  test('that end make room', () => {
    const limits = createCallLimits(createFakeClock())
    const leaves = Array.from({ length: 8 }, () => limits.admit(call(CONNECT, agent)))
    leaves[3]?.()
    limits.admit(call(CONNECT, agent))
    expect(() => limits.admit(call(CONNECT, agent))).toThrow('8 calls open')
  })

  test('that renew a certificate are few', () => {
    const limits = createCallLimits(createFakeClock())
    expect(admitAll(() => limits.admit(call(ENROLL, agent))).count).toBe(10)
  })

  test('without credentials are few at once, of one address and of all', () => {
    const limits = createCallLimits(createFakeClock())
    const enroll = (address: string) => () => limits.admit(call(ENROLL, nobody, address))
    const counts = ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', '5.5.5.5'].map((address) => {
      return admitAll(enroll(address), false).count
    })
    expect(counts).toEqual([32, 32, 32, 32, 0])
    // The one that was refused for all did not stay counted for its address.
    expect(admitAll(enroll('5.5.5.5')).count).toBe(0)
    limits.admit(call(TRIGGER, admin))
  })

  test('without credentials are limited by address', () => {
    const limits = createCallLimits(createFakeClock())
    const enroll = (address: string) => () => limits.admit(call(ENROLL, nobody, address))
    expect(admitAll(enroll('2001:db8::1')).count).toBe(500)
    expect(admitAll(enroll('2001:db8::2')).count).toBe(0)
    expect(admitAll(enroll('2001:db8:0:1::2')).count).toBe(500)
  })
})

test('an address that shows wrong credentials is let in again after a while', async () => {
  const clock = createFakeClock()
  const limits = createCallLimits(clock)
  for (let failures = 0; failures < 1_000; failures++) {
    limits.admitAddress('10.0.0.1')
    limits.noteFailure('10.0.0.1')
  }
  expect(() => limits.admitAddress('10.0.0.1')).toThrow('wrong credentials')
  limits.admitAddress('10.0.0.2')
  // Those that were under way do not lengthen it.
  for (let failures = 0; failures < 1_000; failures++) limits.noteFailure('10.0.0.1')
  await clock.advance(500)
  limits.admitAddress('10.0.0.1')
})

test.each([
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '::ffff:10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::7', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['', ''],
])('the network of %j is %j', (address, network) => {
  expect(networkOf(address)).toBe(network)
})

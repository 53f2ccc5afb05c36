/**
 * Who may call how often, and how many calls may be open at once. Asked before a message of the call is read.
 *
 * Q1. Nobody is asked twice for what is cheap to refuse: a flood of bad credentials is refused without the database.
 * Q2. Anonymous calls (health, joining) are few at once and short, so that what they may hold in memory is small.
 * Q3. One principal can use up its own share only.
 */
import type { Clock } from '../../../shared/clock.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import { KeyedBuckets } from '../../../shared/keyed-buckets.ts'
import type { Rate } from '../../../shared/token-bucket.ts'
import { type Principal, principalName } from '../../identity/principal.ts'
import { accessOf, isChange } from '../access.ts'

/** Of one principal. A coordinator does some thousand changes per second at its best. */
export const CHANGES: Rate = { perSecond: 1_000, burst: 5_000 }
export const READS: Rate = { perSecond: 2_000, burst: 10_000 }
/** Of one address. Load balancers look once per second; a hundred hosts may join at once. */
const ANONYMOUS: Rate = { perSecond: 50, burst: 500 }
/** Of one address: wrong tokens, wrong certificates. 256 bits are not guessed at this rate, nor at any other. */
const FAILURES: Rate = { perSecond: 20, burst: 1_000 }
/** Of one worker: a certificate lasts for days. */
const RENEWALS: Rate = { perSecond: 0.1, burst: 10 }
/** Calls at once: of all that are anonymous, each of which may hold one message, and of those one address. */
const ANONYMOUS_CALLS_MAX = 128
const ADDRESS_CALLS_MAX = 32
/** Streams of one agent: control and output, and both twice or more while it reconnects. */
const WORKER_CALLS_MAX = 8
const TOKEN_CALLS_MAX = 2_000

export interface CallLimits {
  /** Throws RATE_LIMITED when this address has shown too many wrong credentials. */
  admitAddress(address: string): void
  /** The credentials of a call were wrong. */
  noteFailure(address: string): void
  /** Throws RATE_LIMITED or OVERLOADED; else the call counts as open until the answer is called. */
  admit(call: AdmittedCall): () => void
}

export interface AdmittedCall {
  /** e.g. `/rota.v1.JobService/GetJob` */
  readonly path: string
  readonly address: string
  readonly principal: Principal
}

export function createCallLimits(clock: Pick<Clock, 'monotonicMs'>): CallLimits {
  const buckets = {
    changes: new KeyedBuckets<string>(clock, CHANGES),
    reads: new KeyedBuckets<string>(clock, READS),
    anonymous: new KeyedBuckets<string>(clock, ANONYMOUS),
    renewals: new KeyedBuckets<string>(clock, RENEWALS),
    failures: new KeyedBuckets<string>(clock, FAILURES),
  }
  const open = new Map<string, number>()
  const enter = (key: string, max: number, what: string): (() => void) => {
    const count = open.get(key) ?? 0
    if (count >= max) throw new RotaError('OVERLOADED', `${what} has ${count} calls open already`)
    open.set(key, count + 1)
    return () => {
      const left = (open.get(key) ?? 1) - 1
      if (left === 0) open.delete(key)
      else open.set(key, left)
    }
  }
  const rate = (bucket: keyof typeof buckets, key: string) => {
    const waitMs = buckets[bucket].take(key)
    if (waitMs > 0) throw rateLimited(`${key} calls too often`, waitMs)
  }
  return {
    admitAddress(address) {
      const waitMs = buckets.failures.look(networkOf(address))
      if (waitMs > 0) throw rateLimited(`${address} has shown too many wrong credentials`, waitMs)
    },
    noteFailure: (address) => void buckets.failures.take(networkOf(address)),
    admit({ path, address, principal }) {
      const name = principalName(principal)
      switch (principal.kind) {
        case 'token': {
          rate(isChange(path) ? 'changes' : 'reads', name)
          return enter(name, TOKEN_CALLS_MAX, name)
        }
        case 'agent': {
          if (accessOf(path) === 'joining') rate('renewals', name)
          return enter(name, WORKER_CALLS_MAX, name)
        }
        case 'anonymous': {
          const network = networkOf(address)
          rate('anonymous', network)
          const leaveAddress = enter(network, ADDRESS_CALLS_MAX, network)
          const leaveAll = enterOr(leaveAddress, () => {
            return enter('anonymous', ANONYMOUS_CALLS_MAX, 'anybody without credentials')
          })
          return () => {
            leaveAddress()
            leaveAll()
          }
        }
      }
    },
  }
}

function enterOr(leave: () => void, enter: () => () => void): () => void {
  try {
    return enter()
  } catch (error) {
    leave()
    throw error
  }
}

/** Tells the caller when to come again. */
export function rateLimited(message: string, retryAfterMs: number): RotaError {
  return new RotaError('RATE_LIMITED', message, { retryAfterMs })
}

/** An address of version 6 is one of 2^64 that its host may use at will. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail = ''] = address.split('::')
  const before = head.split(':').filter((group) => group !== '')
  const after = tail.split(':').filter((group) => group !== '')
  const zeros = address.includes('::') ? Array(8 - before.length - after.length).fill('0') : []
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`
}

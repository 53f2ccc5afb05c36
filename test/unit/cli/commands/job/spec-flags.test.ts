import { describe, expect, it } from 'vitest'
import type { JobFlags } from '../../../../../cli/commands/job/flags.ts'
import { changeSpec } from '../../../../../cli/commands/job/spec-flags.ts'
import {
  Concurrency,
  Concurrency_Overlap,
  Guarantee,
  JobSpec,
  Parameter_Kind,
  Placement,
  RetryPolicy,
  RetryPolicy_Kind,
} from '../../../../../proto/gen/rota/v1/job.ts'

const NOW = new Date('2026-11-20T10:00:00Z')
const change = (flags: JobFlags, base: Partial<JobSpec> = {}) =>
  changeSpec({ ...JobSpec.fromPartial({}), ...base }, flags, NOW)

describe('where and how a job runs', () => {
  it('changes nothing that is not given', () => {
    expect(change({})).toEqual({})
  })

  it.each([
    ['low', 25],
    ['Medium', 50],
    ['high', 75],
    ['0', 0],
    ['100', 100],
  ])('--priority %s', (text, priority) => {
    expect(change({ priority: text })).toEqual({ priority })
  })

  it.each(['101', '-1', 'hgih', ''])('refuses --priority %j', (priority) => {
    expect(() => change({ priority })).toThrow('--priority')
  })

  it('reads retries; the growth is exponential unless said otherwise', () => {
    expect(change({ retries: '3', retryDelay: '10s', retryMaxDelay: '5m' })).toMatchObject({
      retry: {
        kind: RetryPolicy_Kind.EXPONENTIAL,
        maxRetries: 3,
        delay: { seconds: 10n },
        maxDelay: { seconds: 300n },
      },
    })
    expect(change({ retries: '3', retryBackoff: 'fixed' })).toMatchObject({
      retry: { kind: RetryPolicy_Kind.FIXED },
    })
    expect(change({ retries: '0' })).toMatchObject({
      retry: { kind: RetryPolicy_Kind.NONE, maxRetries: 0 },
    })
  })

  it.each([
    [{ overlap: 'skip' }, {}, { max: 0, overlap: Concurrency_Overlap.SKIP }],
    [{ overlap: 'QUEUE-ONE' }, { max: 3 }, { max: 3, overlap: Concurrency_Overlap.QUEUE_ONE }],
    [
      { atOnce: '2' },
      { max: 1, overlap: Concurrency_Overlap.SKIP },
      { max: 2, overlap: Concurrency_Overlap.SKIP },
    ],
  ])('%o over %o', (flags, before, expected) => {
    const concurrency = Concurrency.fromPartial(before)
    expect(change(flags, { concurrency })).toMatchObject({ concurrency: expected })
  })

  it('lets any number run again with --overlap none, and knows no other words', () => {
    expect(change({ overlap: 'none' })).toEqual({ concurrency: undefined })
    expect(() => change({ overlap: 'skp' })).toThrow('--overlap')
    expect(() => change({ atOnce: '0' })).toThrow('--at-once')
  })

  it('reads a start deadline, and takes it away', () => {
    expect(change({ startDeadline: '5m' })).toMatchObject({ startDeadline: { seconds: 300n } })
    expect(change({ startDeadline: 'none' })).toEqual({ startDeadline: undefined })
  })

  it('keeps the rest of a retry policy, but nothing that a fixed one cannot have', () => {
    const retry = RetryPolicy.fromPartial({
      kind: RetryPolicy_Kind.EXPONENTIAL,
      maxRetries: 2,
      maxDelay: { seconds: 60n, nanos: 0 },
      multiplier: 3,
      jitter: 0.5,
    })
    expect(change({ retryDelay: '1s' }, { retry })).toMatchObject({
      retry: { ...retry, delay: { seconds: 1n } },
    })
    expect(change({ retryBackoff: 'fixed' }, { retry })).toMatchObject({
      retry: { maxRetries: 2, maxDelay: undefined, multiplier: 0, jitter: 0.5 },
    })
  })

  it('refuses the shape of retries when there are none', () => {
    expect(() => change({ retryDelay: '1s' })).toThrow('--retries')
  })

  it('reads and removes placement', () => {
    const placement = Placement.fromPartial({
      capabilities: ['gpu'],
      selector: 'region = eu',
      slots: 2,
    })
    const base = { placement }
    expect(change({ worker: 'worker-3' }, base)).toMatchObject({
      placement: {
        capabilities: ['gpu'],
        selector: 'region = eu',
        worker: 'workers/worker-3',
        slots: 2,
      },
    })
    expect(change({ capability: ['none'], selector: 'none' }, base)).toMatchObject({
      placement: { capabilities: [], selector: '' },
    })
  })

  it('reads and removes time limits', () => {
    expect(change({ timeout: '90s', killGrace: '500ms' })).toEqual({
      timeout: { seconds: 90n, nanos: 0 },
      killGrace: { seconds: 0n, nanos: 500_000_000 },
    })
    expect(change({ timeout: 'none' })).toEqual({ timeout: undefined })
    expect(() => change({ timeout: '90' })).toThrow('--timeout')
  })

  it('reads guarantees with hyphens or underscores', () => {
    expect(change({ guarantee: 'at-most-once' })).toEqual({ guarantee: Guarantee.AT_MOST_ONCE })
    expect(change({ guarantee: 'EXCLUSIVE' })).toEqual({ guarantee: Guarantee.EXCLUSIVE })
    expect(() => change({ guarantee: 'exactly-once' })).toThrow('--guarantee')
  })

  it('reads parameters with a default, and those that must be given', () => {
    expect(change({ param: ['day=monday', 'url=a=b', 'who'] }).parameters).toMatchObject([
      { name: 'day', default: 'monday', required: false, kind: Parameter_Kind.STRING },
      { name: 'url', default: 'a=b', required: false },
      { name: 'who', default: '', required: true },
    ])
    expect(change({ param: ['none'] })).toEqual({ parameters: [] })
  })

  it('removes dependencies by the word none', () => {
    expect(change({ after: ['none'] })).toEqual({ dependencies: [] })
  })
})

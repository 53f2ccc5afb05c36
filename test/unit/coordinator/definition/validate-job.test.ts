import { describe, expect, test } from 'vitest'
import {
  Concurrency,
  Dependency,
  Disconnect,
  Guarantee,
  Job,
  type JobSpec,
  Limits,
  RetryPolicy_Kind,
  RetryPolicy_Where,
} from '../../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../../shared/duration.ts'
import { job, onlyHint, retry, shell, wrongs } from './a-job.ts'

const UNKNOWN_ENUM = 99 as never

function dependency(name: string, rest: Partial<Dependency> = {}): Dependency {
  return { ...Dependency.fromPartial({ job: name }), ...rest }
}

test('a job with everything that this release has is right', () => {
  const full = job(
    {
      priority: 100,
      guarantee: Guarantee.EXCLUSIVE,
      timeout: durationFromMs(365 * 86_400_000),
      killGrace: durationFromMs(0),
      startDeadline: durationFromMs(60_000),
      dependencies: [dependency('jobs/billing.load', { freshness: durationFromMs(3_600_000) })],
      retry: retry({ kind: RetryPolicy_Kind.FIXED, maxRetries: 3, finalExitCodes: [64] }),
      limits: Limits.fromPartial({ logBytes: 1_073_741_824n }),
    },
    {
      displayName: 'ü'.repeat(200),
      description: 'a\nb',
      labels: { team: 'ops', 'a.b/c_d-e': '' },
      tags: ['x', 'y'],
    },
  )
  expect(wrongs(full)).toEqual([])
})

describe('what a job is called and labelled', () => {
  test.each([
    [{ name: 'sample' }, 'job.name NAME_INVALID: "sample" is not of the form jobs/ID'],
    [
      { name: 'jobs/Sample' },
      'job.name NAME_INVALID: "Sample" is no job id: segments of a-z, 0-9 and hyphens, with dots between',
    ],
    [
      { displayName: 'a\nb' },
      'job.display_name FIELD_INVALID: holds a line break or another control character',
    ],
    [
      { displayName: 'a'.repeat(201) },
      'job.display_name FIELD_TOO_LONG: is longer than 200 characters',
    ],
    [{ description: 'a'.repeat(4_097) }, 'job.description FIELD_TOO_LONG: is longer than 4 KiB'],
    [{ labels: { 'a b': 'x' } }, 'job.labels["a b"] FIELD_INVALID: "a b" is no label key'],
    [{ labels: { '': 'x' } }, 'job.labels[""] FIELD_INVALID: "" is no label key'],
    [{ labels: { a: 'ü' } }, 'job.labels["a"] FIELD_INVALID: "ü" is no label value'],
    [
      { labels: { a: 'x'.repeat(64) } },
      `job.labels["a"] FIELD_INVALID: "${'x'.repeat(60)}..." is no label value`,
    ],
    [{ tags: ['x', 'y', 'x'] }, 'job.tags[2] FIELD_INVALID: "x" is in the list already'],
    [{ tags: [''] }, 'job.tags[0] FIELD_INVALID: "" is no tag'],
    [
      { tags: Array.from({ length: 65 }, (_, index) => `t${index}`) },
      'job.tags FIELD_TOO_LONG: has 65 entries, more than 64',
    ],
  ] satisfies [Partial<Job>, string][])('%o', (rest, wrong) => {
    expect(wrongs(job({}, rest))).toEqual([wrong])
  })

  test('more labels than 64', () => {
    const labels = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`k${index}`, 'x']))
    expect(wrongs(job({}, { labels }))).toEqual([
      'job.labels FIELD_TOO_LONG: has 65 entries, more than 64',
    ])
  })

  test('without a specification', () => {
    expect(wrongs(Job.fromPartial({}))).toEqual(['job.spec FIELD_REQUIRED: is missing'])
  })
})

describe('numbers and times', () => {
  test.each([
    [{ priority: -1 }, 'job.spec.priority FIELD_INVALID: -1 is not a whole number from 0 to 100'],
    [{ priority: 101 }, 'job.spec.priority FIELD_INVALID: 101 is not a whole number from 0 to 100'],
    [
      { guarantee: UNKNOWN_ENUM },
      'job.spec.guarantee FIELD_INVALID: 99 is not a value of this release',
    ],
    [
      { timeout: durationFromMs(0) },
      'job.spec.timeout FIELD_INVALID: 0s is not from 0.1s to 365 d',
    ],
    [
      { timeout: durationFromMs(-5_000) },
      'job.spec.timeout FIELD_INVALID: -5s is not from 0.1s to 365 d',
    ],
    [
      { timeout: durationFromMs(366 * 86_400_000) },
      'job.spec.timeout FIELD_INVALID: 31622400s is not from 0.1s to 365 d',
    ],
    [
      { timeout: { seconds: 2n ** 62n, nanos: 0 } },
      /^job.spec.timeout FIELD_INVALID: .* is not from 0.1s to 365 d$/,
    ],
    [
      { timeout: { seconds: 1n, nanos: 1 } },
      'job.spec.timeout FIELD_INVALID: is finer than a millisecond',
    ],
    [
      { timeout: { seconds: 1n, nanos: -5 } },
      'job.spec.timeout FIELD_INVALID: is not a well-formed duration',
    ],
    [
      { timeout: { seconds: 0n, nanos: 1_000_000_000 } },
      'job.spec.timeout FIELD_INVALID: is not a well-formed duration',
    ],
    [
      { killGrace: durationFromMs(-1) },
      'job.spec.kill_grace FIELD_INVALID: -0.001s is not from 0s to 365 d',
    ],
    [
      { startDeadline: durationFromMs(10) },
      'job.spec.start_deadline FIELD_INVALID: 0.01s is not from 1s to 365 d',
    ],
    [
      { limits: Limits.fromPartial({ logBytes: -1n }) },
      'job.spec.limits.log_bytes FIELD_INVALID: -1 is not from 0 to 1073741824',
    ],
    [
      { limits: Limits.fromPartial({ logBytes: 2n ** 40n }) },
      'job.spec.limits.log_bytes FIELD_INVALID: 1099511627776 is not from 0 to 1073741824',
    ],
  ] satisfies [Partial<JobSpec>, string | RegExp][])('%o', (spec, wrong) => {
    expect(wrongs(job(spec))).toEqual([
      expect.stringMatching(wrong instanceof RegExp ? wrong : literal(wrong)),
    ])
  })

  function literal(text: string): RegExp {
    return new RegExp(`^${RegExp.escape(text)}$`)
  }
})

describe('features of later releases are refused, never ignored', () => {
  test.each([
    ['concurrency.key', { concurrency: Concurrency.fromPartial({ key: 'db' }) }],
    ['concurrency.max_per_key', { concurrency: Concurrency.fromPartial({ maxPerKey: 1 }) }],
    ['concurrency.rate', { concurrency: Concurrency.fromPartial({ rate: 1 }) }],
    ['disconnect', { disconnect: Disconnect.fromPartial({}) }],
    ['pause_after_failures', { pauseAfterFailures: 3 }],
    ['retention', { retention: durationFromMs(1_000) }],
    ['limits.cpus', { limits: Limits.fromPartial({ cpus: 0.5 }) }],
    ['limits.memory_bytes', { limits: Limits.fromPartial({ memoryBytes: 1n }) }],
    ['limits.processes', { limits: Limits.fromPartial({ processes: 1 }) }],
    ['retry.where', { retry: retry({ where: RetryPolicy_Where.OTHER_WORKER }) }],
    ['task.workflow', { task: { kind: { $case: 'workflow', value: { steps: [] } } } }],
  ] satisfies [string, Partial<JobSpec>][])('%s', (field, spec) => {
    expect(wrongs(job(spec))).toEqual([
      expect.stringMatching(`^job\\.spec\\.${field} FEATURE_UNAVAILABLE: `),
    ])
  })
})

describe('dependencies', () => {
  const field = 'job.spec.dependencies'

  test.each([
    [[dependency('')], `${field}[0].job FIELD_REQUIRED: is missing`],
    [[dependency('load')], `${field}[0].job NAME_INVALID: "load" is not of the form jobs/ID`],
    [
      [dependency('jobs/a/b')],
      `${field}[0].job NAME_INVALID: "a/b" is no job id: segments of a-z, 0-9 and hyphens, with dots between`,
    ],
    [[dependency('jobs/sample')], `${field}[0].job DEPENDENCY_CYCLE: the job depends on itself`],
    [
      [dependency('jobs/a'), dependency('jobs/a')],
      `${field}[1] FIELD_INVALID: "jobs/a" is in the list already`,
    ],
    [
      [dependency('jobs/a', { when: UNKNOWN_ENUM })],
      `${field}[0].when FIELD_INVALID: 99 is not a value of this release`,
    ],
    [
      [dependency('jobs/a', { onFailure: UNKNOWN_ENUM })],
      `${field}[0].on_failure FIELD_INVALID: 99 is not a value of this release`,
    ],
    [
      [dependency('jobs/a', { freshness: durationFromMs(1) })],
      `${field}[0].freshness FIELD_INVALID: 0.001s is not from 1s to 365 d`,
    ],
  ])('%o', (dependencies, wrong) => {
    expect(wrongs(job({ dependencies }))).toEqual([wrong])
  })

  test('more than 64', () => {
    const many = Array.from({ length: 65 }, (_, index) => dependency(`jobs/job-${index}`))
    expect(wrongs(job({ dependencies: many }))).toEqual([
      `${field} FIELD_TOO_LONG: has 65 entries, more than 64`,
    ])
  })
})

describe('retry', () => {
  const { FIXED, EXPONENTIAL, NONE } = RetryPolicy_Kind

  test.each([
    [
      {
        kind: EXPONENTIAL,
        maxRetries: 100,
        multiplier: 1.5,
        jitter: 1,
        maxDelay: durationFromMs(60_000),
      },
    ],
    [{ kind: FIXED, maxRetries: 1, delay: durationFromMs(0), where: RetryPolicy_Where.ANY }],
    [
      {
        kind: EXPONENTIAL,
        maxRetries: 1,
        multiplier: 1,
        delay: durationFromMs(9),
        maxDelay: durationFromMs(9),
      },
    ],
    [{ kind: EXPONENTIAL, maxRetries: 1, multiplier: 100, maxDelay: durationFromMs(1) }],
    [{ kind: NONE }],
    [{}],
  ])('%o is right', (policy) => {
    expect(wrongs(job({ retry: retry(policy) }))).toEqual([])
  })

  test.each([
    [{ where: UNKNOWN_ENUM }, 'where FIELD_INVALID: 99 is not a value of this release'],
    [
      { kind: EXPONENTIAL, maxRetries: 1, maxDelay: durationFromMs(-1) },
      'max_delay FIELD_INVALID: -0.001s is not from 0s to 365 d',
    ],
    [
      { kind: EXPONENTIAL, maxRetries: 1, multiplier: 100.5 },
      'multiplier FIELD_INVALID: 100.5 is not from 1 to 100',
    ],
    [{ kind: UNKNOWN_ENUM }, 'kind FIELD_INVALID: 99 is not a value of this release'],
    [{ kind: FIXED }, 'max_retries FIELD_INVALID: 0 is not a whole number from 1 to 100'],
    [
      { kind: FIXED, maxRetries: 101 },
      'max_retries FIELD_INVALID: 101 is not a whole number from 1 to 100',
    ],
    [
      { kind: FIXED, maxRetries: 1, delay: durationFromMs(-1) },
      'delay FIELD_INVALID: -0.001s is not from 0s to 365 d',
    ],
    [
      { kind: FIXED, maxRetries: 1, multiplier: 2 },
      'multiplier FIELD_INVALID: has no meaning for a fixed delay',
    ],
    [
      { kind: FIXED, maxRetries: 1, maxDelay: durationFromMs(1) },
      'max_delay FIELD_INVALID: has no meaning for a fixed delay',
    ],
    [
      { kind: FIXED, maxRetries: 1, jitter: Number.NaN },
      'jitter FIELD_INVALID: NaN is not from 0 to 1',
    ],
    [
      { kind: FIXED, maxRetries: 1, finalExitCodes: [256] },
      'final_exit_codes[0] FIELD_INVALID: 256 is not a whole number from 1 to 255',
    ],
    [
      { kind: FIXED, maxRetries: 1, finalExitCodes: [3, 3] },
      'final_exit_codes[1] FIELD_INVALID: "3" is in the list already',
    ],
    [
      { kind: EXPONENTIAL, maxRetries: 1, multiplier: 0.5 },
      'multiplier FIELD_INVALID: 0.5 is not from 1 to 100',
    ],
    [
      { kind: EXPONENTIAL, maxRetries: 1, multiplier: Number.NaN },
      'multiplier FIELD_INVALID: NaN is not from 1 to 100',
    ],
    [
      { kind: EXPONENTIAL, maxRetries: 1, delay: durationFromMs(9), maxDelay: durationFromMs(8) },
      'max_delay FIELD_INVALID: is shorter than delay',
    ],
    [
      { kind: EXPONENTIAL, maxRetries: 1, jitter: -0.1 },
      'jitter FIELD_INVALID: -0.1 is not from 0 to 1',
    ],
    [{ maxRetries: 3 }, 'kind FIELD_INVALID: does not retry, so the other fields have no effect'],
    [
      { kind: NONE, delay: durationFromMs(1) },
      'kind FIELD_INVALID: does not retry, so the other fields have no effect',
    ],
  ])('%o is not', (policy, wrong) => {
    expect(wrongs(job({ retry: retry(policy) }))).toEqual([`job.spec.retry.${wrong}`])
  })

  test('has no place beside AT_MOST_ONCE', () => {
    const policy = retry({ kind: FIXED, maxRetries: 1 })
    const once = job({ retry: policy, guarantee: Guarantee.AT_MOST_ONCE })
    expect(onlyHint(once)).toBe('Leave out retry, or choose another guarantee.')
    expect(
      wrongs(job({ retry: retry({ kind: NONE }), guarantee: Guarantee.AT_MOST_ONCE })),
    ).toEqual([])
  })
})

test('an unknown number of an enum is answered with the words that there are', () => {
  expect(onlyHint(job({ guarantee: UNKNOWN_ENUM }))).toBe(
    'Use AT_LEAST_ONCE, EXCLUSIVE, AT_MOST_ONCE.',
  )
})

test('long input is cut short in messages', () => {
  const tags = ['!'.repeat(60), '!'.repeat(61)]
  expect(wrongs(job({}, { tags }))).toEqual([
    `job.tags[0] FIELD_INVALID: "${'!'.repeat(60)}" is no tag`,
    `job.tags[1] FIELD_INVALID: "${'!'.repeat(60)}..." is no tag`,
  ])
})

test('everything that is wrong is told at once', () => {
  const broken = job({ task: shell({ command: ' ' }), priority: 500 }, { tags: [''] })
  expect(wrongs(broken).map((wrong) => wrong.split(' ')[0])).toEqual([
    'job.tags[0]',
    'job.spec.task.shell.command',
    'job.spec.priority',
  ])
})

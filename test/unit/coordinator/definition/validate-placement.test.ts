import { describe, expect, test } from 'vitest'
import { type Placement, Placement_Spread } from '../../../../proto/gen/rota/v1/job.ts'
import { job, onlyHint, placement, wrongs } from './a-job.ts'

const FIELD = 'job.spec.placement'

test.each([
  [{}],
  [{ capabilities: ['gpu', 'shell', 'api', 'handler:backup', 'handler:echo'] }],
  [{ selector: 'region = eu AND NOT tier = canary', worker: 'workers/worker-1', slots: 1_000 }],
  [{ spread: Placement_Spread.RELIABLE_LEAST_LOADED }],
])('%o is right', (of: Partial<Placement>) => {
  expect(wrongs(job({ placement: placement(of) }))).toEqual([])
})

describe('refused is', () => {
  test.each([
    [
      { capabilities: ['gpuu'] },
      'capabilities[0] CAPABILITY_UNKNOWN: no worker has ever had "gpuu"',
    ],
    [{ capabilities: [''] }, 'capabilities[0] CAPABILITY_UNKNOWN: no worker has ever had ""'],
    [
      { capabilities: ['handler:nope'] },
      'capabilities[0] CAPABILITY_UNKNOWN: no worker has the handler "nope"',
    ],
    [
      { capabilities: ['gpu', 'gpu'] },
      'capabilities[1] FIELD_INVALID: "gpu" is in the list already',
    ],
    [
      { selector: 'region eu' },
      'selector SELECTOR_INVALID: expected =, != or IN after region, at character 8',
    ],
    [{ worker: 'worker-1' }, 'worker NAME_INVALID: "worker-1" is not of the form workers/ID'],
    [{ worker: 'workers/worker-9' }, 'worker WORKER_NOT_FOUND: there is no worker "worker-9"'],
    [{ spread: 99 as never }, 'spread FIELD_INVALID: 99 is not a value of this release'],
    [
      { spread: Placement_Spread.PACK },
      'spread FEATURE_UNAVAILABLE: A spread other than RELIABLE_LEAST_LOADED is not part of this release',
    ],
    [
      { spread: Placement_Spread.RANDOM },
      'spread FEATURE_UNAVAILABLE: A spread other than RELIABLE_LEAST_LOADED is not part of this release',
    ],
    [{ broadcast: true }, 'broadcast FEATURE_UNAVAILABLE: Broadcast is not part of this release'],
    [{ slots: -1 }, 'slots FIELD_INVALID: -1 is not a whole number from 0 to 1000'],
    [{ slots: 1_001 }, 'slots FIELD_INVALID: 1001 is not a whole number from 0 to 1000'],
  ])('%o', (of: Partial<Placement>, wrong) => {
    expect(wrongs(job({ placement: placement(of) }))).toEqual([`${FIELD}.${wrong}`])
  })

  test('more than 32 capabilities', () => {
    const capabilities = Array.from({ length: 33 }, (_, index) => `skill-${index}`)
    expect(wrongs(job({ placement: placement({ capabilities }) }))).toContain(
      `${FIELD}.capabilities FIELD_TOO_LONG: has 33 entries, more than 32`,
    )
  })
})

test.each([
  [{ capabilities: ['gpuu'] }, 'Did you mean gpu?'],
  [{ capabilities: ['handler:bakcup'] }, 'Did you mean backup?'],
  [{ worker: 'workers/worker-11' }, 'Did you mean worker-1, worker-2?'],
  [{ selector: 'region eu' }, 'Write it like region = eu AND NOT tier IN (canary, test).'],
])('%o is answered with a hint', (of, hint) => {
  expect(onlyHint(job({ placement: placement(of) }))).toBe(hint)
})

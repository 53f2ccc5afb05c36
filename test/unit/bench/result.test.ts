import { describe, expect, it } from 'vitest'
import {
  addChecks,
  CLEAN,
  type Comparison,
  compare,
  goal,
  type Run,
  toOutcome,
  toSide,
  whyRefused,
} from '../../../bench/measure/result.ts'

const BY_SPEED: readonly Comparison[] = [{ figure: 'perSecond', isSmallBetter: false }]

function runs(values: readonly number[], checks = CLEAN): Run[] {
  return values.map((perSecond) => ({ figures: { perSecond }, checks }))
}

describe('compare', () => {
  it('divides medians', () => {
    const peers = { other: toSide(runs([100, 50, 9_999])) }
    expect(compare(toSide(runs([150, 200, 1])), peers, BY_SPEED)).toEqual({
      ratios: { other: 1.5 },
      refused: [],
    })
  })

  it('turns the ratio round for what should be small', () => {
    const side = (p50: number) => toSide([{ figures: { p50 }, checks: CLEAN }])
    const comparisons = [{ figure: 'p50', isSmallBetter: true, label: ' p50' }]
    expect(compare(side(2), { other: side(4) }, comparisons).ratios).toEqual({ 'other p50': 2 })
  })

  it.each(['lost', 'doubled', 'failed'] as const)(
    'refuses every ratio when one run of Rota has %s an execution',
    (what) => {
      const bad = runs([100], { ...CLEAN, [what]: 1 })
      const side = toSide([...runs([100, 100]), ...bad])
      const peers = { other: toSide(runs([100])) }
      expect(compare(side, peers, BY_SPEED)).toEqual({ ratios: {}, refused: [`rota ${what} 1`] })
    },
  )

  it('refuses the ratio to a peer that has lost one, and gives the others', () => {
    const peers = {
      good: toSide(runs([100])),
      bad: toSide(runs([100], { lost: 2, doubled: 0, failed: 1 })),
    }
    expect(compare(toSide(runs([50])), peers, BY_SPEED)).toEqual({
      ratios: { good: 0.5 },
      refused: ['bad lost 2, failed 1'],
    })
  })

  it('also refuses when more came out than went in', () => {
    expect(whyRefused('rota', { lost: -1, doubled: 0, failed: 0 })).toBe('rota lost -1')
  })

  it('leaves out what a peer does not measure, and what is nothing', () => {
    const other = toSide([{ figures: { p50: 1 }, checks: CLEAN }])
    const nothing = toSide(runs([0]))
    expect(compare(toSide(runs([50])), { other, nothing }, BY_SPEED).ratios).toEqual({})
  })
})

describe('toSide', () => {
  it('adds up what went wrong in any run', () => {
    const wrong = { lost: 1, doubled: 2, failed: 3 }
    expect(toSide([...runs([1], wrong), ...runs([2], wrong)]).checks).toEqual(
      addChecks([wrong, wrong]),
    )
  })

  it('tells how far the runs lie apart', () => {
    expect(toSide(runs([1, 2, 4])).spread['perSecond']).toEqual({
      median: 2,
      min: 1,
      max: 4,
      count: 3,
    })
  })
})

describe('toOutcome', () => {
  it('refuses also where nothing is compared', () => {
    const wrong = toSide(runs([1], { lost: 1, doubled: 0, failed: 0 }))
    expect(toOutcome({ scenario: 'rest', rota: wrong })).toMatchObject({
      ratios: {},
      refused: ['rota lost 1'],
      targets: [],
    })
  })

  it('judges targets by the ratios that may be told', () => {
    const outcome = toOutcome({
      scenario: 'throughput',
      rota: toSide(runs([50])),
      peers: { other: toSide(runs([100])) },
      comparisons: BY_SPEED,
      targets: ({ other = 0 }) => [goal('at least 0.4 of the other', other >= 0.4)],
    })
    expect(outcome.targets).toEqual([
      { what: 'at least 0.4 of the other', isMet: true, isLimit: false },
    ])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { quantile, spreadPercent, summarise } from '../../../bench/measure/statistics.ts'

describe('summarise', () => {
  it('gives the middle of an odd number of values and the mean of the two in the middle of an even one', () => {
    expect(summarise([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5, count: 3 })
    expect(summarise([4, 1, 2, 3]).median).toBe(2.5)
  })

  it('refuses to speak of nothing', () => {
    expect(() => summarise([])).toThrow(RangeError)
  })

  it('lets one wild run change the ends only', () => {
    expect(summarise([10, 11, 12, 13, 9_000])).toMatchObject({ median: 12, max: 9_000 })
  })
})

describe('quantile', () => {
  it('interpolates between neighbours', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5)
    expect(quantile([1, 2, 3, 4, 5], 1)).toBe(5)
  })

  it('is sorted like its fraction and within the ends', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 })
    const fraction = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(values, fraction, fraction, (all, a, b) => {
        const [low, high] = [quantile(all, Math.min(a, b)), quantile(all, Math.max(a, b))]
        expect(low).toBeGreaterThanOrEqual(Math.min(...all) - 1e-6)
        expect(high).toBeLessThanOrEqual(Math.max(...all) + 1e-6)
        expect(low).toBeLessThanOrEqual(high + 1e-6)
      }),
    )
  })
})

describe('spreadPercent', () => {
  it('is the distance of the ends in percent of the median', () => {
    expect(spreadPercent(summarise([80, 100, 130]))).toBe(50)
  })
})

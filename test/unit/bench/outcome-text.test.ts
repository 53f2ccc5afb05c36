import { describe, expect, it } from 'vitest'
import type { Machine } from '../../../bench/measure/machine.ts'
import { toJsonLine, toLines } from '../../../bench/measure/outcome-text.ts'
import { CLEAN, type Outcome, toSide } from '../../../bench/measure/result.ts'

const side = (value: number) => toSide([{ figures: { perSecond: value }, checks: CLEAN }])
const outcome: Outcome = {
  scenario: 'throughput',
  rota: side(1234.5678),
  peers: { other: side(1000) },
  ratios: { other: 1.2345678 },
  targets: [],
  refused: [],
  notes: ['one repetition'],
  curves: {},
}
const machine: Machine = {
  cores: 2,
  cpu: 'a',
  memoryGb: 1,
  freeGb: 1,
  kernel: 'b',
  node: 'c',
  load: 0,
}

describe('an outcome as JSON', () => {
  it('is one line with what the contract of the benchmarks names', () => {
    const line = toJsonLine(outcome, machine)
    expect(line).not.toContain('\n')
    expect(JSON.parse(line)).toMatchObject({
      scenario: 'throughput',
      rota: { perSecond: 1235, spread: { perSecond: { runs: 1 } } },
      peers: { other: { perSecond: 1000, checks: CLEAN } },
      ratios: { other: 1.235 },
      checks: CLEAN,
      machine: { cores: 2 },
    })
  })

  it('says why a ratio is missing', () => {
    const refused = { ...outcome, ratios: {}, refused: ['rota lost 1'] }
    expect(JSON.parse(toJsonLine(refused, machine))).toMatchObject({ refused: ['rota lost 1'] })
  })
})

describe('an outcome for people', () => {
  it('tells figures with their ends, ratios, missed limits and notes', () => {
    const text = toLines({
      ...outcome,
      targets: [{ what: 'below 5 %', isMet: false, isLimit: true }],
      curves: { 'per second by size': [[10, 1.5]] },
    }).join('\n')
    for (const part of ['1235', '1.235', 'MISSED: below 5 %', 'one repetition', '10: 1.500']) {
      expect(text).toContain(part)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { renderPage, type ScenarioRecord } from '../../../bench/report/performance-page.ts'
import { barChart, lineChart } from '../../../bench/report/svg-chart.ts'

const side = (perSecond: number) => ({
  perSecond,
  spread: { perSecond: { min: 1, max: 9, runs: 5 } },
})
const record: ScenarioRecord = {
  scenario: 'throughput',
  measuredAt: '2026-11-20',
  rota: side(5),
  peers: { 'graphile-worker': side(4) },
  ratios: { 'graphile-worker': 1.25 },
  curves: { 'per second by queued': [[10, 3]] },
  machine: { cores: 2 },
}

describe('the page of performance', () => {
  it('tells figures, ratios and the machine, and shows charts', () => {
    const { charts, text } = renderPage({ records: [record], budgets: [], before: '' })
    expect(text).toContain('| rota | perSecond | 5 | 1 | 9 | 5 |')
    expect(text).toContain('- ratio to graphile-worker: 1.25')
    expect(text).toContain('measured 2026-11-20: cores 2')
    for (const file of Object.keys(charts)) expect(text).toContain(`(performance/${file})`)
    expect(Object.keys(charts)).toEqual(['throughput.svg', 'throughput-per-second-by-queued.svg'])
  })

  it('keeps what a person has written, and is the same when made twice', () => {
    const sources = { records: [record], budgets: [] }
    const first = renderPage({ ...sources, before: '' }).text
    const marker = '<!-- text: throughput -->'
    const written = first.replace(marker, `${marker}\nA thought.\n`)
    const second = renderPage({ ...sources, before: written }).text
    expect(second).toContain('A thought.')
    expect(renderPage({ ...sources, before: second }).text).toBe(second)
  })

  it('lists a budget by step', () => {
    const parts = { 'PostgreSQL by statement': [{ step: 'claim|lock', us: 12.34, calls: 0.5 }] }
    const budgets = [{ scenario: 'throughput', executions: 7, parts }]
    const { text } = renderPage({ records: [], budgets, before: '' })
    expect(text).toContain('| claim\\|lock | 12.3 | 0.500 |')
  })
})

describe('charts', () => {
  const numbersOf = (svg: string) => [...svg.matchAll(/NaN|Infinity/g)]

  it('draw a bar for each and escape what stands beside it', () => {
    const bars = [
      { name: 'a<b>', value: 10, min: 5, max: 20 },
      { name: 'c', value: 0, min: 0, max: 0 },
    ]
    const svg = barChart('t & u', 'per second', bars)
    expect(svg).toContain('a&lt;b&gt;')
    expect(svg).toContain('t &amp; u')
    expect(svg.match(/<rect/g)).toHaveLength(3)
    expect(numbersOf(svg)).toEqual([])
  })

  it('draw lines over sizes that lie far apart with equal steps', () => {
    const points: [number, number][] = [
      [10_000, 5],
      [100_000, 5],
      [1_000_000, 5],
    ]
    const svg = lineChart('t', { x: 'queued', y: 'per second' }, [{ name: 'rota', points }])
    const xs = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x))
    const [a = 0, b = 0, c = 0] = xs
    expect(b - a).toBeCloseTo(c - b, 0)
    expect(numbersOf(svg)).toEqual([])
  })

  it('also draw a single point', () => {
    const series = [{ name: 'rota', points: [[1, 0]] as const }]
    expect(numbersOf(lineChart('t', { x: 'x', y: 'y' }, series))).toEqual([])
  })
})

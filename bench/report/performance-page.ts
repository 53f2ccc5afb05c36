/** docs/performance.md out of measured lines. What a person has written between markers stays. Pure. */
import type { Budget } from '../profile/profile.ts'
import { barChart, lineChart } from './svg-chart.ts'

/** A line of `--json`, as far as the page needs it. */
export interface ScenarioRecord {
  readonly scenario: string
  readonly measuredAt: string
  readonly rota: SideRecord
  readonly peers: Readonly<Record<string, SideRecord>>
  readonly ratios: Readonly<Record<string, number>>
  readonly targets?: readonly { readonly what: string; readonly isMet: boolean }[]
  readonly refused?: readonly string[]
  readonly notes?: readonly string[]
  readonly curves?: Readonly<Record<string, readonly (readonly [number, number])[]>>
  readonly machine: Readonly<Record<string, string | number>>
}

export interface SideRecord {
  readonly spread: Readonly<Record<string, Ends>>
  readonly [figure: string]: unknown
}

interface Ends {
  readonly min: number
  readonly max: number
  readonly runs: number
}

export interface PageSources {
  readonly records: readonly ScenarioRecord[]
  readonly budgets: readonly Budget[]
  /** The page as it is; its texts between markers are kept. */
  readonly before: string
}

/** The page, and its charts by file name. */
export interface Page {
  readonly text: string
  readonly charts: Readonly<Record<string, string>>
}

/** The figure that a scenario's bars show. */
const SHOWN: Readonly<Record<string, readonly [figure: string, unit: string]>> = {
  throughput: ['perSecond', 'executions per second, more is better'],
  latency: ['p50Ms', 'ms from trigger to start, less is better'],
  shell: ['perSecond', 'commands per second, more is better'],
}

export function renderPage({ before, budgets, records }: PageSources): Page {
  const charts: Record<string, string> = {}
  const sections = records.flatMap((record) => {
    Object.assign(charts, chartsOf(record))
    return [
      ...scenarioLines(record, Object.keys(chartsOf(record))),
      ...kept(record.scenario, before),
    ]
  })
  const text = [
    '# Performance',
    '',
    'Made by `npm run bench -- report`; only the texts between markers are written by hand. Medians, with the least and',
    'the most of all runs; systems ran in turn in the same run. Figures of two machines cannot be compared, ratios may.',
    '',
    ...kept('introduction', before),
    ...sections,
    ...budgets.flatMap(budgetSection),
    '## Tried',
    '',
    ...kept('tried', before),
  ].join('\n')
  return { text: `${text.trimEnd()}\n`, charts }
}

/** A text of a person, with its markers. */
function kept(name: string, before: string): string[] {
  const [start, end] = [`<!-- text: ${name} -->`, `<!-- end of ${name} -->`]
  const from = before.indexOf(start)
  const to = before.indexOf(end)
  const own = from === -1 || to < from ? '' : before.slice(from + start.length, to).trim()
  return own === '' ? [start, end, ''] : [start, own, end, '']
}

function scenarioLines(record: ScenarioRecord, charts: readonly string[]): string[] {
  const { machine, measuredAt, notes = [], peers, ratios, refused = [], rota, scenario } = record
  const targets = (record.targets ?? []).map(
    ({ isMet, what }) => `- ${isMet ? 'met' : '**missed**'}: ${what}`,
  )
  return [
    `## ${scenario}`,
    '',
    ...charts.flatMap((file) => [`![${file.replace('.svg', '')}](performance/${file})`, '']),
    '| system | figure | median | least | most | runs |',
    '| --- | --- | ---: | ---: | ---: | ---: |',
    ...sideRows('rota', rota),
    ...Object.entries(peers).flatMap(([name, side]) => sideRows(name, side)),
    '',
    ...Object.entries(ratios).map(([name, ratio]) => `- ratio to ${name}: ${ratio}`),
    ...targets,
    ...refused.map((why) => `- **no ratio**: ${why}`),
    ...notes.map((note) => `- ${note}`),
    `- measured ${measuredAt}: ${machineText(machine)}`,
    '',
  ]
}

function sideRows(name: string, side: SideRecord): string[] {
  return Object.entries(side.spread).map(
    ([figure, { max, min, runs }]) =>
      `| ${name} | ${figure} | ${String(side[figure])} | ${min} | ${max} | ${runs} |`,
  )
}

function machineText(machine: ScenarioRecord['machine']): string {
  return Object.entries(machine)
    .map(([name, value]) => `${name} ${value === '' ? 'none' : value}`)
    .join(', ')
}

function chartsOf({ curves = {}, peers, rota, scenario }: ScenarioRecord): Record<string, string> {
  const charts: Record<string, string> = {}
  const [figure, unit] = SHOWN[scenario] ?? []
  if (figure !== undefined && unit !== undefined) {
    const bars = Object.entries({ rota, ...peers }).flatMap(([name, side]) => {
      const ends = side.spread[figure]
      return ends === undefined ? [] : [{ name, value: Number(side[figure]), ...ends }]
    })
    charts[`${scenario}.svg`] = barChart(scenario, unit, bars)
  }
  for (const [name, points] of Object.entries(curves)) {
    const [y = name, x = ''] = name.split(' by ')
    const file = `${scenario}-${name.replaceAll(/[^a-z0-9]+/gi, '-')}.svg`
    charts[file] = lineChart(`${scenario}: ${name}`, { x, y }, [{ name: 'rota', points }])
  }
  return charts
}

function budgetSection({ executions, parts, scenario }: Budget): string[] {
  return [
    `## Where the time goes: ${scenario}`,
    '',
    `Microseconds per execution, over ${executions} executions, starts of the processes included; the profiled agent's per`,
    'execution that it ran.',
    '',
    ...Object.entries(parts).flatMap(([part, lines]) => [
      `| ${part} | us | calls |`,
      '| --- | ---: | ---: |',
      ...lines.map(
        ({ calls, step, us }) =>
          `| ${step.replaceAll('|', '\\|')} | ${us.toFixed(1)} | ${calls?.toFixed(3) ?? ''} |`,
      ),
      '',
    ]),
  ]
}

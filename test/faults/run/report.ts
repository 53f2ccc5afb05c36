/** What a run of the suite says: a line per fault on the terminal, and a page of Markdown. */
import { cpus, release, totalmem } from 'node:os'
import type { ClusterShape } from '../cluster/shape.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { lagsOf } from '../invariants/schedule-invariants.ts'
import type { Played, Verdict } from './scene.ts'
import type { SoupFault } from './soup.ts'

export interface Skipped {
  readonly name: string
  readonly why: string
}

export interface RunReport {
  readonly command: string
  readonly shape: ClusterShape
  readonly startedAt: Date
  readonly played: readonly Played[]
  readonly skipped: readonly Skipped[]
  readonly verdicts: readonly Verdict[]
  /** What happened in a soup; undefined: faults were alone. */
  readonly soup?: readonly SoupFault[]
}

export function isMissed({ fault, recoveryMs }: Played, leaseMs: number): boolean {
  return (
    fault.target !== undefined &&
    (recoveryMs === undefined || recoveryMs > fault.target.ms(leaseMs))
  )
}

/** `ok    coordinator-killed    0.84 s of 2 s   until its agents ...` */
export function showPlayed(played: Played, leaseMs: number): string {
  const { fault, problems } = played
  const isBad = problems.length > 0
  const mark = isBad ? 'FAIL' : isMissed(played, leaseMs) ? 'LATE' : 'ok'
  const what = fault.target?.what ?? 'no effect'
  return `${mark.padEnd(5)} ${fault.name.padEnd(30)} ${figure(played, leaseMs).padEnd(18)} ${what}`
}

function figure({ fault, recoveryMs }: Played, leaseMs: number): string {
  if (fault.target === undefined) return '-'
  return `${seconds(recoveryMs)} of ${seconds(fault.target.ms(leaseMs))}`
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? 'never' : `${Number((ms / 1_000).toFixed(2))} s`
}

export function toMarkdown(report: RunReport): string {
  const { command, played, shape, skipped, startedAt, verdicts } = report
  const { leaseMs } = shape
  const rows = played.map((each) => {
    const { fault, problems } = each
    const target = fault.target === undefined ? 'no effect' : seconds(fault.target.ms(leaseMs))
    const reached = fault.target === undefined ? 'none seen' : seconds(each.recoveryMs)
    const result = problems.length > 0 ? 'FAILED' : isMissed(each, leaseMs) ? 'late' : 'ok'
    const cells = [fault.name, fault.what, fault.target?.what ?? '', reached, target, result]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return [
    '# Faults and recoveries',
    '',
    `Made by \`${command}\` on ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC: ` +
      `${shape.coordinators} coordinators, ${shape.agents} agents of ${shape.slots} slots, ` +
      `lease ${leaseMs / 1_000} s, PostgreSQL with fsync, on ${cpus().length} cores ` +
      `(${cpus()[0]?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}.`,
    '',
    ...(report.soup === undefined ? tableOf(rows) : soupLines(report.soup)),
    ...(skipped.length === 0
      ? []
      : ['Not run here:', '', ...skipped.map(({ name, why }) => `- ${name}: ${why}`), '']),
    '## Invariants',
    '',
    "Numbers of `failure-model.md`, judged over the database, the witness and the agents' journals.",
    '',
    '| numbers | promise | checked | violations |',
    '| --- | --- | --- | --- |',
    ...invariantRows(verdicts),
    '',
    ...lagLines(verdicts.map(({ evidence }) => evidence)),
    ...problemLines(played, verdicts),
  ].join('\n')
}

function tableOf(rows: readonly string[]): string[] {
  return [
    '| fault | what is done | time is taken | reached | target | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ]
}

function soupLines(soup: readonly SoupFault[]): string[] {
  const rows = [...Map.groupBy(soup, ({ name }) => name)].map(([name, of]) => {
    const heldMs = of.map((fault) => fault.heldMs)
    return `| ${name} | ${of.length} | ${seconds(Math.max(...heldMs))} |`
  })
  return ['| fault | times | longest |', '| --- | --- | --- |', ...rows, '']
}

function invariantRows(verdicts: readonly Verdict[]): string[] {
  const all = verdicts.flatMap(({ judgements }) => judgements)
  return [...Map.groupBy(all, ({ invariant }) => invariant)].map(([invariant, of]) => {
    const checked = of.reduce((sum, each) => sum + each.checked, 0)
    const violations = of.reduce((sum, each) => sum + each.violations.length, 0)
    return `| ${invariant.numbers.join(', ')} | ${invariant.says} | ${checked} | ${violations} |`
  })
}

function lagLines(evidence: readonly Evidence[]): string[] {
  const lags = evidence.map(lagsOf)
  const outside = lags.flatMap((each) => each.outside)
  const inside = lags.flatMap((each) => each.inside)
  const calls = evidence.flatMap((each) => each.calls)
  return [
    '## Fire lag and API',
    '',
    `- due to row, outside of faults: ${spread(outside)}`,
    `- due to row, during faults and 10 s after: ${spread(inside)}`,
    `- API calls answered: ${spread(calls.map(({ tookMs }) => tookMs))}`,
    '',
  ]
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return 'none'
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) =>
    `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0)} ms`
  return `${values.length}, median ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`
}

function problemLines(played: readonly Played[], verdicts: readonly Verdict[]): string[] {
  const problems = [
    ...played.flatMap(({ fault, problems }) => problems.map((each) => `${fault.name}: ${each}`)),
    ...verdicts.flatMap(({ problems }) => problems),
  ]
  return problems.length === 0
    ? []
    : ['## Problems', '', ...problems.map((each) => `- ${each.replaceAll('\n', '\n  ')}`), '']
}

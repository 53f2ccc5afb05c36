/** `npm run bench -- profile SCENARIO`: where an execution's time goes, in coordinator, agent and PostgreSQL. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CpuProfile } from '../leases/inspector.ts'
import { PROFILE_FILES, type StatementFacts } from './collect.ts'
import { nameStatement, statementsOf } from './name-statement.ts'
import { type CpuSummary, summariseCpu } from './summarise-cpu.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Microseconds per execution, by part and step. */
export interface Budget {
  readonly scenario: string
  readonly executions: number
  readonly parts: Readonly<Record<string, readonly BudgetLine[]>>
}

export interface BudgetLine {
  readonly step: string
  readonly us: number
  /** Of PostgreSQL. */
  readonly calls?: number
}

const LINES_MAX = 14

/** Reads what a run has left in `folder` and writes the budget beside it. */
export async function readBudget(scenario: string, folder: string): Promise<Budget> {
  const facts = await readJson<StatementFacts>(join(folder, PROFILE_FILES.statements))
  const coordinator = await readCpu(join(folder, PROFILE_FILES.coordinator))
  const agent = await readCpu(join(folder, PROFILE_FILES.agent))
  const named = await readStatements()
  const statements = facts.statements.map(({ calls, ms, query }) => ({
    step: nameStatement(query, named) ?? query.replaceAll(/\s+/g, ' ').slice(0, 60),
    us: (ms * 1_000) / facts.settled,
    calls: calls / facts.settled,
  }))
  const budget: Budget = {
    scenario,
    executions: facts.settled,
    parts: {
      'coordinator by step': linesOf(coordinator.bySteps, facts.settled),
      'coordinator by code': linesOf(coordinator.byOwners, facts.settled),
      'coordinator by function': linesOf(coordinator.byFunctions, facts.settled),
      'agent by step': linesOf(agent.bySteps, facts.ranOnAgent),
      'agent by code': linesOf(agent.byOwners, facts.ranOnAgent),
      'agent by function': linesOf(agent.byFunctions, facts.ranOnAgent),
      'PostgreSQL by statement': shorten(statements),
    },
  }
  await writeFile(join(folder, 'budget.json'), `${JSON.stringify(budget, undefined, 2)}\n`)
  return budget
}

/** Lines for people. */
export function budgetLines({ executions, parts, scenario }: Budget): string[] {
  const all = Object.entries(parts).flatMap(([part, lines]) => [
    '',
    `${part}: ${lines.reduce((sum, { us }) => sum + us, 0).toFixed(1)} us per execution`,
    ...lines.map(({ calls, step, us }) => {
      const often = calls === undefined ? '' : `   ${calls.toFixed(3)} calls`
      return `  ${step.padEnd(62)} ${us.toFixed(2).padStart(10)}${often}`
    }),
  ])
  return [`${scenario}: ${executions} executions`, ...all]
}

function linesOf(times: CpuSummary['bySteps'], executions: number): BudgetLine[] {
  return shorten(times.map(([step, us]) => ({ step, us: us / Math.max(1, executions) })))
}

/** The largest, and the rest as one. */
function shorten(lines: readonly BudgetLine[]): BudgetLine[] {
  const sorted = [...lines].sort((a, b) => b.us - a.us)
  const rest = sorted.slice(LINES_MAX)
  if (rest.length === 0) return sorted
  const us = rest.reduce((sum, line) => sum + line.us, 0)
  return [...sorted.slice(0, LINES_MAX), { step: `${rest.length} more`, us }]
}

async function readCpu(file: string): Promise<CpuSummary> {
  return summariseCpu(await readJson<CpuProfile>(file))
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8'))
}

async function readStatements() {
  const folder = join(ROOT, 'coordinator')
  const files = await readdir(folder, { recursive: true })
  const queries = files.filter((file) => file.endsWith('.ts'))
  const sources = await Promise.all(queries.map((file) => readFile(join(folder, file), 'utf8')))
  return sources.flatMap(statementsOf)
}

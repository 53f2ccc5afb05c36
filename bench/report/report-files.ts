/** docs/performance.md, its charts, and the figures that they are made from. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Budget } from '../profile/profile.ts'
import { renderPage, type ScenarioRecord } from './performance-page.ts'

const DOCS = join(import.meta.dirname, '..', '..', 'docs')
const PAGE = join(DOCS, 'performance.md')
const FOLDER = join(DOCS, 'performance')
const FIGURES = join(FOLDER, 'figures.jsonl')

/** Keeps a measured line; the one of the same scenario goes. */
export async function keepRecord(line: string, measuredAt: string): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  const record: ScenarioRecord = { ...JSON.parse(line), measuredAt }
  const others = (await readRecords()).filter(({ scenario }) => scenario !== record.scenario)
  const all = [...others, record].map((each) => `${JSON.stringify(each)}\n`)
  await writeFile(FIGURES, all.join(''))
}

/** Keeps the budget of a profiled scenario. */
export async function keepBudget(budget: Budget): Promise<void> {
  await mkdir(FOLDER, { recursive: true })
  const file = join(FOLDER, `budget-${budget.scenario}.json`)
  await writeFile(file, `${JSON.stringify(budget, undefined, 2)}\n`)
}

/** Writes page and charts; scenarios in this order. Answers the path of the page. */
export async function writePage(order: readonly string[]): Promise<string> {
  const records = await readRecords()
  records.sort((a, b) => order.indexOf(a.scenario) - order.indexOf(b.scenario))
  const before = await readFile(PAGE, 'utf8').catch(() => '')
  const { charts, text } = renderPage({ before, budgets: await readBudgets(), records })
  await mkdir(FOLDER, { recursive: true })
  for (const file of await readdir(FOLDER)) {
    if (file.endsWith('.svg') && charts[file] === undefined) await rm(join(FOLDER, file))
  }
  for (const [file, svg] of Object.entries(charts)) await writeFile(join(FOLDER, file), svg)
  await writeFile(PAGE, text)
  return PAGE
}

async function readRecords(): Promise<ScenarioRecord[]> {
  const text = await readFile(FIGURES, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

async function readBudgets(): Promise<Budget[]> {
  const files = (await readdir(FOLDER).catch(() => [])).filter((file) =>
    /^budget-.*json$/.test(file),
  )
  const texts = await Promise.all(files.sort().map((file) => readFile(join(FOLDER, file), 'utf8')))
  return texts.map((text) => JSON.parse(text))
}

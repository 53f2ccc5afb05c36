/**
 * The fault suite: real processes, real faults, and a witness.
 *
 *   npm run faults -- --list
 *   npm run faults -- agent-killed coordinator-killed
 *   npm run faults -- --all --report docs/faults.md
 *   npm run faults -- --soup --minutes 10 --seed 7
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { CATALOGUE } from './catalogue/catalogue.ts'
import type { Fault } from './catalogue/fault.ts'
import { type ClusterShape, USUAL_SHAPE } from './cluster/shape.ts'
import { shorten } from './invariants/judge.ts'
import { isMissed, type RunReport, type Skipped, showPlayed, toMarkdown } from './run/report.ts'
import { openScene, type Played, type Scene, type Verdict } from './run/scene.ts'
import { seeded } from './run/seeded.ts'
import { cookSoup } from './run/soup.ts'

const USAGE = `Usage: npm run faults -- [options] [NAME...]

  --list            what there is, and what cannot be done here
  --all             every fault, each alone
  --soup            random faults on top of each other
    --minutes N     for so long, default 5
    --seed S        the same faults at the same moments again
  --lease SECONDS   length of a lease, default 12
  --report FILE     writes a page of Markdown
`

const OPTIONS = {
  list: { type: 'boolean' },
  all: { type: 'boolean' },
  soup: { type: 'boolean' },
  minutes: { type: 'string' },
  seed: { type: 'string' },
  lease: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean' },
} as const

const say = (line: string) => void process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({ options: OPTIONS, allowPositionals: true })
  if (values.list === true) return list()
  const leaseMs = Number(values.lease ?? 12) * 1_000
  if (values.soup === true) {
    const { minutes = '5', report, seed = String(Date.now() % 1_000_000) } = values
    return soup({ minutes: Number(minutes), seed: Number(seed), leaseMs, file: report })
  }
  const unknown = positionals.filter((name) => !CATALOGUE.some((fault) => fault.name === name))
  if (unknown.length > 0) {
    say(`unknown: ${unknown.join(', ')}; see --list`)
    return 2
  }
  const faults = CATALOGUE.filter(({ name }) => values.all === true || positionals.includes(name))
  if (faults.length === 0 || values.help === true) {
    say(USAGE)
    return values.help === true ? 0 : 2
  }
  const report = await runEach(faults, leaseMs)
  if (values.report !== undefined) writeFileSync(values.report, toMarkdown(report))
  return conclude(report)
}

function list(): number {
  for (const { name, unable, what } of CATALOGUE) {
    const why = unable?.()
    say(
      `${name.padEnd(30)} ${what}${why === undefined ? '' : `\n${' '.repeat(31)}not here: ${why}`}`,
    )
  }
  return 0
}

async function soup(options: {
  readonly minutes: number
  readonly seed: number
  readonly leaseMs: number
  readonly file: string | undefined
}): Promise<number> {
  const { file, leaseMs, minutes, seed } = options
  const again = `npm run faults -- --soup --minutes ${minutes} --seed ${seed}`
  say(`${again}`)
  const startedAt = new Date()
  const shape = { ...USUAL_SHAPE, coordinators: 3, agents: 5, leaseMs }
  const random = seeded(seed)
  const scene = await raise(shape)
  try {
    const { faults, verdict } = await cookSoup(scene, { minutes, random, say })
    for (const problem of shorten(verdict.problems)) say(`problem: ${problem}`)
    if (verdict.problems.length > 0) {
      keepLogs(scene)
      say(`the same faults again: ${again}`)
    }
    if (file !== undefined) {
      const page = {
        command: again,
        shape,
        startedAt,
        played: [],
        skipped: [],
        verdicts: [verdict],
      }
      writeFileSync(file, toMarkdown({ ...page, soup: faults }))
    }
    const checked = verdict.judgements.reduce((sum, each) => sum + each.checked, 0)
    say(
      `${faults.length} faults, ${checked} checks of invariants, ${verdict.problems.length} problems`,
    )
    return verdict.problems.length === 0 ? 0 : 1
  } finally {
    raised = undefined
    await scene.stop()
  }
}

/** Faults that want the same cluster share one; after a failure the next fault gets a new one. */
async function runEach(faults: readonly Fault[], leaseMs: number): Promise<RunReport> {
  const played: Played[] = []
  const skipped: Skipped[] = []
  const verdicts: Verdict[] = []
  const startedAt = new Date()
  const usual = { ...USUAL_SHAPE, leaseMs }
  const clusters = Map.groupBy(faults, ({ name, shape = {}, wantsOwnCluster }) =>
    JSON.stringify([{ ...usual, ...shape }, wantsOwnCluster === true ? name : '']),
  )
  for (const [key, of] of clusters) {
    const [shape]: [ClusterShape] = JSON.parse(key)
    const able = of.filter((fault) => {
      const why = fault.unable?.()
      if (why === undefined) return true
      skipped.push({ name: fault.name, why })
      say(`skip  ${fault.name.padEnd(30)} ${why}`)
      return false
    })
    let scene: Scene | undefined
    for (const fault of able) {
      scene ??= await raise(shape)
      const result = await scene.play(fault)
      played.push(result)
      say(showPlayed(result, leaseMs))
      for (const problem of shorten(result.problems)) say(`      ${problem}`)
      if (result.problems.length === 0 && fault !== able.at(-1)) continue
      verdicts.push(await lower(scene, result.problems.length === 0))
      scene = undefined
    }
  }
  const command = `npm run faults -- ${process.argv.slice(2).join(' ')}`
  return { command, shape: usual, startedAt, played, skipped, verdicts }
}

let raised: Scene | undefined

async function raise(shape: ClusterShape): Promise<Scene> {
  raised = await openScene(shape)
  return raised
}

/** Judges everything that happened on a scene, and clears it away. */
async function lower(scene: Scene, isFine: boolean): Promise<Verdict> {
  try {
    const verdict = await scene.conclude()
    for (const problem of shorten(verdict.problems)) say(`      at the end: ${problem}`)
    if (!isFine || verdict.problems.length > 0) keepLogs(scene)
    return verdict
  } finally {
    raised = undefined
    await scene.stop()
  }
}

/** For whoever must find out why. */
function keepLogs(scene: Scene): void {
  for (const { lines, name } of scene.saidBy()) {
    const file = `/tmp/rota-faults-${process.pid}-${name}.log`
    writeFileSync(file, `${lines.join('\n')}\n`)
    say(`      log of ${name}: ${file}`)
  }
}

function conclude({ played, shape, skipped, verdicts }: RunReport): number {
  const failed = played.filter(({ problems }) => problems.length > 0).length
  const late = played.filter((each) => isMissed(each, shape.leaseMs)).length
  const violated = verdicts.reduce((sum, { problems }) => sum + problems.length, 0)
  const checked = verdicts
    .flatMap(({ judgements }) => judgements)
    .reduce((sum, each) => sum + each.checked, 0)
  say(
    `${played.length} faults, ${failed} failed, ${late} late, ${skipped.length} skipped; ` +
      `${checked} checks of invariants, ${violated} violations at the end`,
  )
  return failed + late + violated === 0 ? 0 : 1
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    say(`${name}: clearing away`)
    const cleared = raised?.stop() ?? Promise.resolve()
    void cleared.finally(() => process.exit(130))
  })
}

process.exit(await main())

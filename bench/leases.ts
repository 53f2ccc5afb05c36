/**
 * What it costs a coordinator to keep many agents alive: heartbeats, answers and lease renewals, no work.
 * The sessions are real: each agent joined with a key of its own and holds a TLS connection and a stream. With `--floor`
 * the same agents are held by a server that does nothing but answer: what grpc-js, HTTP/2 and TLS cost by themselves.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { systemClock as clock, sleep } from '../shared/clock.ts'
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { Benchmark, Figure } from './benchmark.ts'
import { type Agent, openAgents } from './leases/agents.ts'
import { startBare } from './leases/bare.ts'
import { type Measured, type RenewalCount, startCluster } from './leases/cluster.ts'
import type { MemoryOfProcess } from './leases/inspector.ts'

/** Leases are renewed this often, in ms: a sixth of the default lease. */
const RENEWAL_MS = 2_000
const SETTLE_MS = 10_000
const MIB = 1_024 * 1_024

interface Options {
  readonly sessions: number
  readonly spanMs: number
  /** Where a CPU profile of the span with all sessions goes; taking it costs some. */
  readonly profile: string | undefined
  /** Instead of a coordinator, a server that only answers, with heartbeats so often, in ms. */
  readonly floorMs: number | undefined
}

export const leases: Benchmark = {
  what: 'CPU, memory and statements of a coordinator with N idle agents (default 1000)',
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        sessions: { type: 'string', default: '1000' },
        seconds: { type: 'string', default: '30' },
        profile: { type: 'string' },
        floor: { type: 'string' },
      },
    })
    const folder = await makeTemporaryFolder()
    try {
      return await measure(folder.path, {
        sessions: Number(values.sessions),
        spanMs: Number(values.seconds) * 1_000,
        profile: values.profile,
        floorMs: values.floor === undefined ? undefined : Number(values.floor) * 1_000,
      })
    } finally {
      await folder.remove()
    }
  },
}

async function measure(folder: string, options: Options): Promise<Figure[]> {
  const { sessions, spanMs, profile, floorMs } = options
  const measured = await (floorMs === undefined ? startCluster(folder) : startBare(folder, floorMs))
  const { inspector } = measured
  const agents: Agent[] = []
  try {
    const idle = await readSpan(measured, spanMs)
    const identities = await measured.enroll(sessions)
    const without = await inspector.memory()
    await openAgents(agents, measured, identities)
    await sleep(clock, SETTLE_MS)
    if (profile !== undefined) await inspector.startProfile()
    const span = await readSpan(measured, spanMs)
    if (profile !== undefined) writeFileSync(profile, JSON.stringify(await inspector.stopProfile()))
    const rssMb = readRssMb(measured.pid)
    const lost = agents.filter(({ isOver }) => isOver()).length
    const memory = { without, with: await inspector.memory() }
    return figuresOf({ ...options, held: sessions - lost, idle, span, rssMb, memory })
  } finally {
    for (const agent of agents) agent.close()
    await measured.stop()
  }
}

interface Findings extends Options {
  readonly held: number
  readonly idle: Span
  readonly span: Span
  readonly rssMb: number
  readonly memory: { readonly without: MemoryOfProcess; readonly with: MemoryOfProcess }
}

function figuresOf(findings: Findings): Figure[] {
  const { held, idle, sessions, span, spanMs, rssMb } = findings
  const cpuPercent = (100 * span.cpuMs) / spanMs
  const cpuTarget = sessions > 1_000 ? 30 : 5
  return [
    {
      name: `sessions held of ${sessions}`,
      value: held,
      unit: '',
      target: 'all',
      isMet: held === sessions,
    },
    {
      name: 'CPU with all sessions',
      value: cpuPercent,
      unit: '% of a core',
      target: `below ${cpuTarget} %`,
      isMet: cpuPercent < cpuTarget,
    },
    { name: 'CPU without any', value: (100 * idle.cpuMs) / spanMs, unit: '% of a core' },
    ...(span.renewals === undefined ? [] : renewalFigures(span.renewals, spanMs)),
    ...memoryFigures(findings),
    { name: 'memory of the process (RSS)', value: rssMb, unit: 'MB' },
    { name: '  before the first session', value: findings.memory.without.rss / MIB, unit: 'MB' },
    { name: '  after garbage collection', value: findings.memory.with.rss / MIB, unit: 'MB' },
  ]
}

function renewalFigures({ statements, sessions, ms }: RenewalCount, spanMs: number): Figure[] {
  const per2s = statements / (spanMs / RENEWAL_MS)
  return [
    {
      name: 'renewal statements per 2 s',
      value: per2s,
      unit: '',
      target: '1',
      isMet: per2s <= 1.1,
    },
    { name: 'sessions per renewal statement', value: sessions / statements, unit: '' },
    { name: 'PostgreSQL time of renewals', value: (100 * ms) / spanMs, unit: '% of a core' },
  ]
}

/** Of one session, its connection included, and what joining left behind. */
function memoryFigures({ memory, sessions }: Findings): Figure[] {
  const perSession = (key: keyof MemoryOfProcess) =>
    (memory.with[key] - memory.without[key]) / sessions / 1_024
  const rssKb = perSession('rss')
  return [
    {
      name: 'memory per session (RSS)',
      value: rssKb,
      unit: 'KiB',
      target: 'below 60 KiB',
      isMet: rssKb < 60,
    },
    { name: '  of it objects of JavaScript', value: perSession('heapUsed'), unit: 'KiB' },
    { name: '  of it external, as V8 counts it', value: perSession('external'), unit: 'KiB' },
  ]
}

/** What a span of time cost. */
interface Span {
  readonly cpuMs: number
  readonly renewals: RenewalCount | undefined
}

async function readSpan(measured: Measured, spanMs: number): Promise<Span> {
  await measured.takeRenewals()
  const before = readCpuMs(measured.pid)
  await sleep(clock, spanMs)
  const cpuMs = readCpuMs(measured.pid) - before
  return { cpuMs, renewals: await measured.takeRenewals() }
}

/** utime and stime of proc_pid_stat(5), in clock ticks. */
function readCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond
}

function readRssMb(pid: number): number {
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kb) / 1_024
}

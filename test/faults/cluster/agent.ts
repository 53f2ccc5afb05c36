/** An agent process of the cluster under test, its warden, and what they leave behind. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { agentFiles } from '../../../shared/data-dir.ts'
import { AGENT } from '../../../shared/programs.ts'
import { type RunningProcess, startProcess } from '../../support/processes.ts'
import { allPids, argumentsOf, environmentOf, signal, workingFolderOf } from './proc.ts'

export interface AgentOptions {
  readonly name: string
  readonly folder: string
  readonly slots: number
  /** Addresses of coordinators as agents reach them. */
  readonly coordinators: readonly string[]
  /** For the first start. */
  readonly joinToken: string
  readonly environment: Readonly<Record<string, string>>
  /** Command line that runs it in its own network; none: the host's. */
  readonly within: readonly string[]
}

export interface AgentNode {
  readonly name: string
  readonly slots: number
  readonly dataDir: string
  readonly process: RunningProcess | undefined
  /** Ends that nobody asked for. */
  readonly crashes: readonly string[]
  lines(): string[]
  /** Starts it; does not wait until it is connected. */
  launch(): void
  /** Starts it and returns when a coordinator has welcomed it. */
  start(): Promise<void>
  /** SIGKILL of the agent alone. */
  kill(): Promise<void>
  /** The whole host: agent, warden and jobs get SIGKILL. */
  killHost(): Promise<void>
  /** SIGINT: ends its jobs too. Answers its exit code. */
  stop(): Promise<number | null>
  signal(name: NodeJS.Signals): void
  /** Processes of this host's warden. */
  wardenPids(): number[]
  /** Processes of its jobs, or of those whose environment has this pair. */
  jobPids(mark?: string): number[]
  /** No process and no folder of an attempt is there. */
  isTidy(): boolean
}

export function createAgent(options: AgentOptions): AgentNode {
  const { coordinators, environment, folder, joinToken, name, slots, within } = options
  const dataDir = join(folder, name)
  const args = [
    ...AGENT.nodeFlags,
    'agent/main.ts',
    ...['run', '--data-dir', dataDir, '--name', name, '--slots', String(slots)],
    ...['--coordinator', coordinators.join(',')],
  ]
  let current: RunningProcess | undefined
  const said: string[][] = []
  const crashes: string[] = []
  const watch = (started: RunningProcess) => {
    current = started
    said.push(started.lines)
    void started.exit.then((code) => {
      if (current !== started) return
      current = undefined
      crashes.push(`${name} ended with exit code ${code}: ${started.lines.slice(-5).join(' / ')}`)
    })
  }
  const launch = () => {
    const env = { ...environment, ROTA_JOIN_TOKEN: joinToken }
    const started = startProcess({ args, within, env })
    watch(started)
    return started
  }
  const ended = async () => {
    const ending = current
    current = undefined
    return (await ending?.exit) ?? null
  }
  const wardenPids = () => allPids().filter((pid) => isWardenOf(pid, dataDir))
  const jobPids = (mark?: string) => allPids().filter((pid) => isJobOf(pid, dataDir, mark))
  return {
    name,
    slots,
    dataDir,
    crashes,
    get process() {
      return current
    },
    lines: () => said.flat(),
    launch: () => void launch(),
    async start() {
      await launch().answer('connected')
    },
    async kill() {
      current?.kill('SIGKILL')
      await ended()
    },
    async killHost() {
      // The warden first: nobody is left to see the end of the jobs.
      const pids = [...wardenPids(), ...(current === undefined ? [] : [current.pid]), ...jobPids()]
      for (const pid of pids) signal(pid, 'SIGKILL')
      for (const pid of [...wardenPids(), ...jobPids()]) signal(pid, 'SIGKILL')
      await ended()
    },
    stop() {
      current?.kill('SIGINT')
      return ended()
    },
    signal: (name) => current?.kill(name),
    wardenPids,
    jobPids,
    isTidy: () => jobPids().length === 0 && listFolder(agentFiles(dataDir).attempts).length === 0,
  }
}

/** Names in a folder; none when it is missing. */
export function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isWardenOf(pid: number, dataDir: string): boolean {
  const args = argumentsOf(pid)
  return args.some((arg) => arg.endsWith('agent/warden/main.ts')) && belongsTo(pid, dataDir, args)
}

/** Every process of an attempt has the mark in its environment; the file of its outputs tells the agent. */
function isJobOf(pid: number, dataDir: string, mark?: string): boolean {
  const environment = environmentOf(pid)
  return (
    environment.some((entry) => entry.startsWith(`ROTA_OUTPUT=${dataDir}/`)) &&
    (mark === undefined || environment.includes(mark))
  )
}

function belongsTo(pid: number, dataDir: string, args: readonly string[]): boolean {
  return (
    args.some((arg) => arg === dataDir || arg.startsWith(`${dataDir}/`)) ||
    workingFolderOf(pid) === dataDir
  )
}

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
}

export interface AgentNode {
  readonly name: string
  readonly slots: number
  readonly dataDir: string
  readonly process: RunningProcess | undefined
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
  /** Processes of its jobs. */
  jobPids(): number[]
  /** No process and no folder of an attempt is there. */
  isTidy(): boolean
}

export function createAgent(options: AgentOptions): AgentNode {
  const { coordinators, folder, joinToken, name, slots } = options
  const dataDir = join(folder, name)
  const args = [
    ...AGENT.nodeFlags,
    'agent/main.ts',
    ...['run', '--data-dir', dataDir, '--name', name, '--slots', String(slots)],
    ...['--coordinator', coordinators.join(',')],
  ]
  let current: RunningProcess | undefined
  const said: string[][] = []
  const launch = () => {
    current = startProcess({ args, env: { ROTA_JOIN_TOKEN: joinToken } })
    said.push(current.lines)
    return current
  }
  const ended = async () => {
    const ending = current
    current = undefined
    return (await ending?.exit) ?? null
  }
  const wardenPids = () => allPids().filter((pid) => isWardenOf(pid, dataDir))
  const jobPids = () => allPids().filter((pid) => isJobOf(pid, dataDir))
  return {
    name,
    slots,
    dataDir,
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
function isJobOf(pid: number, dataDir: string): boolean {
  return environmentOf(pid).some((entry) => entry.startsWith(`ROTA_OUTPUT=${dataDir}/`))
}

function belongsTo(pid: number, dataDir: string, args: readonly string[]): boolean {
  return (
    args.some((arg) => arg === dataDir || arg.startsWith(`${dataDir}/`)) ||
    workingFolderOf(pid) === dataDir
  )
}

/** Real agent processes with their real wardens, against a fake coordinator. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { wardenLock } from '../../shared/data-dir.ts'
import { lockHolder } from '../../shared/lock-file.ts'
import type { FakeCoordinator, FakeSession, Script } from './fake-coordinator.ts'
import { type RunningProcess, startProcess } from './processes.ts'
import { startCoordinator, temporaryDataDir } from './test-agent.ts'
import { until } from './until.ts'

export const AGENT_MAIN = 'agent/main.ts'

/** The command line of an agent. */
export function argumentsOf(coordinator: FakeCoordinator, dataDir: string): string[] {
  const place = ['--data-dir', dataDir, '--coordinator', coordinator.address]
  return ['run', ...place, '--name', 'worker-1', '--slots', '4']
}

/** A real agent process; ended with the test, its warden too. */
export function startAgent(coordinator: FakeCoordinator, dataDir: string): RunningProcess {
  const agent = startProcess({
    args: [AGENT_MAIN, ...argumentsOf(coordinator, dataDir)],
    env: { ROTA_JOIN_TOKEN: coordinator.joinToken() },
  })
  onTestFinished(async () => {
    agent.kill('SIGKILL')
    await agent.exit
    await endWarden(dataDir)
  })
  return agent
}

export interface ProcessPair {
  readonly coordinator: FakeCoordinator
  readonly dataDir: string
  readonly agent: RunningProcess
  /** The first one. */
  readonly session: FakeSession
}

/** A fake coordinator and a real agent process that is connected to it. */
export async function startProcessPair(script: Partial<Script> = {}): Promise<ProcessPair> {
  const coordinator = await startCoordinator(script)
  const dataDir = await temporaryDataDir()
  const agent = startAgent(coordinator, dataDir)
  const session = await coordinator.nextSession()
  return { coordinator, dataDir, agent, session }
}

/** The process of the warden of a data folder, if one lives. */
export function wardenPid(dataDir: string): number | undefined {
  return lockHolder(wardenLock(dataDir))
}

/** Ends it, and what it has. */
export async function endWarden(dataDir: string): Promise<void> {
  const pid = wardenPid(dataDir)
  if (pid === undefined) return
  process.kill(pid, 'SIGCONT')
  process.kill(pid, 'SIGINT')
  await until('the warden has ended', () => wardenPid(dataDir) === undefined)
}

/** What the coordinator has of the output of an attempt. */
export function outputOf(coordinator: FakeCoordinator, { execution, epoch }: Assignment): string {
  return coordinator.logs.read(execution, epoch, LogStream.STDOUT).toString()
}

/** What an attempt has written to its file, whether anybody ships it or not. */
export function fileOf(dataDir: string, { execution, epoch }: Assignment): string {
  const key = `${execution.replace('executions/', '')}.${epoch}`
  try {
    return readFileSync(join(dataDir, 'attempts', key, 'stdout'), 'utf8')
  } catch {
    return ''
  }
}

/** Waits until an attempt has written the pids of `count` processes, and gives them. */
export function pidsOf(dataDir: string, assignment: Assignment, count = 1): Promise<number[]> {
  return until('the processes run', () => {
    const pids = fileOf(dataDir, assignment).split('\n').filter(Boolean).map(Number)
    return pids.length >= count && pids
  })
}

/** A zombie that nobody has reaped yet does not live. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

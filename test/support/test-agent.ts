/** An agent of this process against a fake coordinator. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { composeAgent } from '../../agent/compose.ts'
import { readConfig } from '../../agent/config.ts'
import { ensureJoined } from '../../agent/identity/ensure-joined.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import type { Service } from '../../shared/service.ts'
import { FakeCoordinator, type FakeSession, type Script } from './fake-coordinator.ts'
import { localWarden } from './local-warden.ts'

/** One line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string }

/** Keeps the lines; shows them too when a test needs to be looked into: ROTA_TEST_LOG=1. */
function createTestLogger(lines: LogLine[]) {
  return pino(
    { level: 'debug' },
    {
      write(line) {
        lines.push(JSON.parse(line))
        if (process.env['ROTA_TEST_LOG'] !== undefined) process.stderr.write(line)
      },
    },
  )
}

export interface TestAgent extends Service {
  readonly log: readonly LogLine[]
}

export interface TestAgentOptions {
  readonly coordinator: FakeCoordinator
  readonly dataDir: string
  /** Instead of the coordinator's own address. */
  readonly address?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Joins, unless its data folder holds an identity already, and is ready to start. Stopped after the test. */
export async function createTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const { coordinator, dataDir } = options
  const log: LogLine[] = []
  const logger = createTestLogger(log)
  const place = ['--data-dir', dataDir, '--coordinator', options.address ?? coordinator.address]
  const args = ['run', ...place, '--name', 'worker-1', '--slots', '4', ...(options.args ?? [])]
  const token = coordinator.joinToken()
  const config = readConfig(args, { ...process.env, ...options.env, ROTA_JOIN_TOKEN: token })
  const { signal } = new AbortController()
  const joined = await ensureJoined(config, { clock, random, logger, signal })
  const agent = await composeAgent(config, joined, {
    ...{ clock, random, logger },
    warden: localWarden(dataDir),
    onSession: () => {},
  })
  let isRunning = true
  const stop = async () => {
    if (isRunning) await agent.stop()
    isRunning = false
  }
  onTestFinished(stop)
  return { log, start: () => agent.start(), stop }
}

export interface AgentPair {
  readonly coordinator: FakeCoordinator
  readonly agent: TestAgent
  /** The first one. */
  readonly session: FakeSession
  readonly dataDir: string
}

/** A coordinator, and an agent that is connected to it. Both end with the test. */
export async function startPair(
  options: {
    readonly script?: Partial<Script>
    readonly args?: readonly string[]
    readonly env?: Readonly<Record<string, string>>
  } = {},
): Promise<AgentPair> {
  const coordinator = await startCoordinator(options.script)
  const dataDir = await temporaryDataDir()
  const { args = [], env = {} } = options
  const agent = await createTestAgent({ coordinator, dataDir, args, env })
  await agent.start()
  return { coordinator, agent, session: await coordinator.nextSession(), dataDir }
}

/** A fake coordinator that ends with the test. */
export async function startCoordinator(script: Partial<Script> = {}): Promise<FakeCoordinator> {
  const coordinator = await FakeCoordinator.start()
  Object.assign(coordinator.script, script)
  onTestFinished(() => coordinator.stop())
  return coordinator
}

/** A fresh data folder, removed after the test. */
export async function temporaryDataDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rota-agent-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

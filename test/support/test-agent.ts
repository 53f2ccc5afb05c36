/** An agent of this process against a fake coordinator. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { composeAgent } from '../../agent/compose.ts'
import { readConfig } from '../../agent/config.ts'
import { ensureJoined } from '../../agent/identity/ensure-joined.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import type { FakeCoordinator } from './fake-coordinator.ts'

/** Lines of the log when a test needs to be looked into: ROTA_TEST_LOG=debug. */
const logger = pino({ level: process.env['ROTA_TEST_LOG'] ?? 'silent' })

export interface TestAgent {
  readonly dataDir: string
  start(): Promise<void>
  stop(): Promise<void>
}

export interface TestAgentOptions {
  readonly coordinator: FakeCoordinator
  readonly dataDir: string
  /** Instead of the coordinator's own address. */
  readonly address?: string
  readonly args?: readonly string[]
}

/** Joins, unless its data folder holds an identity already, and is ready to start. */
export async function createTestAgent(options: TestAgentOptions): Promise<TestAgent> {
  const { coordinator, dataDir } = options
  const place = ['--data-dir', dataDir, '--coordinator', options.address ?? coordinator.address]
  const args = ['run', ...place, '--name', 'worker-1', '--slots', '4', ...(options.args ?? [])]
  const config = readConfig(args, { ...process.env, ROTA_JOIN_TOKEN: coordinator.joinToken() })
  const signal = new AbortController().signal
  const joined = await ensureJoined(config, { clock, random, logger, signal })
  const agent = await composeAgent(config, joined, { clock, random, logger, onSession: () => {} })
  return { dataDir, start: () => agent.start(), stop: () => agent.stop() }
}

/** A fresh data folder; `remove` it after the test. */
export async function temporaryDataDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'rota-agent-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresCluster['connection']
  }
}

/** Runs once before all tests that need a cluster; what it returns runs after them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const compiled = await mkdtemp(join(tmpdir(), 'rota-compiled-'))
  // Agents, wardens, coordinators and the CLI are started some hundred times: each after the first finds itself compiled.
  process.env['NODE_COMPILE_CACHE'] = compiled
  const cluster = await startPostgresCluster()
  project.provide('postgres', cluster.connection)
  return async () => {
    await cluster.stop()
    // A process that is just ending may still add to it.
    await rm(compiled, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

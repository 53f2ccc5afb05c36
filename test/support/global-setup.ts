import type { TestProject } from 'vitest/node'
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts'

declare module 'vitest' {
  interface ProvidedContext {
    postgres: PostgresCluster['connection']
  }
}

/** Runs once before all tests; what it returns runs after them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = await startPostgresCluster()
  project.provide('postgres', cluster.connection)
  return cluster.stop
}

/** Watches coordinator and agent while they are measured, and what PostgreSQL does for them. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningProcess } from '../../test/support/processes.ts'
import type { BenchDatabase } from '../cluster/postgres.ts'
import { Inspector } from '../leases/inspector.ts'

export const PROFILE_FILES = {
  coordinator: 'coordinator.cpuprofile',
  agent: 'agent.cpuprofile',
  statements: 'statements.json',
} as const

/** What a process is started with to be watched. */
export const INSPECTED = ['--inspect=127.0.0.1:0'] as const

export interface StatementFacts {
  readonly settled: number
  /** Executions that the profiled agent has run. */
  readonly ranOnAgent: number
  readonly statements: readonly Statement[]
}

/** Of pg_stat_statements: all calls together. */
export interface Statement {
  readonly query: string
  readonly calls: number
  readonly ms: number
}

/** What is recorded. */
export interface Watched {
  readonly coordinator: RunningProcess
  readonly agent: RunningProcess
  /** Name of the agent's worker. */
  readonly worker: string
  readonly database: BenchDatabase
}

export interface Recording {
  /** Writes everything into `folder`. */
  finish(folder: string): Promise<void>
}

/** From now on. */
export async function startRecording(watched: Watched): Promise<Recording> {
  const { agent, coordinator, database } = watched
  const inspectors = [
    [PROFILE_FILES.coordinator, await Inspector.attach(coordinator.lines)],
    [PROFILE_FILES.agent, await Inspector.attach(agent.lines)],
  ] as const
  const before = await countExecutions(watched)
  await database.query('select pg_stat_statements_reset()')
  for (const [, inspector] of inspectors) await inspector.startProfile()
  return {
    async finish(folder) {
      for (const [file, inspector] of inspectors) {
        await writeFile(join(folder, file), JSON.stringify(await inspector.stopProfile()))
        inspector.close()
      }
      const statements = await readStatements(database)
      const after = await countExecutions(watched)
      const facts: StatementFacts = {
        settled: after.settled - before.settled,
        ranOnAgent: after.ranOnAgent - before.ranOnAgent,
        statements,
      }
      await writeFile(join(folder, PROFILE_FILES.statements), JSON.stringify(facts))
    },
  }
}

function readStatements(database: BenchDatabase): Promise<Statement[]> {
  return database.query<Statement>(
    `select query, calls::float8 as calls, total_exec_time as ms from pg_stat_statements
    where dbid = (select oid from pg_database where datname = current_database())
      and query not like '%pg_stat_statements%'`,
  )
}

async function countExecutions({ database, worker }: Watched) {
  const [row] = await database.query<{ settled: number; ranOnAgent: number }>(
    `select count(*)::int as settled,
      (select count(*)::int from rota.attempt where worker = $1) as "ranOnAgent"
    from rota.execution_history`,
    [worker],
  )
  return row ?? { settled: 0, ranOnAgent: 0 }
}

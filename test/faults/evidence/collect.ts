/** Collects the evidence of a run, from outside of the system. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeRecord } from '../../../agent/report/journal-records.ts'
import { agentFiles } from '../../../shared/data-dir.ts'
import { type AgentNode, listFolder } from '../cluster/agent.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Query } from '../cluster/database.ts'
import { allPids, argumentsOf, descriptorCount, residentBytes } from '../cluster/proc.ts'
import type { Load } from '../load/load.ts'
import type {
  AcknowledgedResult,
  AttemptEvidence,
  Evidence,
  ExecutionEvidence,
  FaultWindow,
  OccurrenceEvidence,
  ProcessSize,
  ScheduleEvidence,
  SettledSighting,
} from './evidence.ts'

export interface Collector {
  /** Looks at what does not stay: journals are compacted, and final states must never change. */
  look(): Promise<void>
  collect(about: {
    readonly windows: readonly FaultWindow[]
    readonly isQuiet: boolean
  }): Promise<Evidence>
}

export function createCollector(cluster: Cluster, load: Load): Collector {
  const results = new Map<string, AcknowledgedResult>()
  const sightings = new Map<string, SettledSighting>()
  // A paused job has no schedule any more; what was decided until then stays true.
  const schedules = new Map<string, ScheduleEvidence>()
  const look = async () => {
    for (const agent of cluster.agents) {
      for (const result of readJournal(agent)) {
        results.set(`${result.execution} ${result.epoch}`, result)
      }
    }
    for (const schedule of await readSchedules(cluster.query)) schedules.set(schedule.job, schedule)
    const settled = await cluster.query<{ id: string; state: string }>(
      'select id, state from rota.execution_history',
    )
    for (const { id, state } of settled) {
      if (!sightings.has(id)) sightings.set(id, { execution: id, state, atMs: Date.now() })
    }
  }
  return {
    look,
    async collect({ windows, isQuiet }) {
      // What was promised is read before the database, what was seen after it: the work goes on meanwhile.
      const acknowledgedTriggers = [...load.client.acknowledged]
      const calls = [...load.client.calls]
      await look()
      const stored = await cluster.snapshot(async (query) => ({
        executions: await readExecutions(query),
        attempts: await readAttempts(query, load),
        occurrences: await readOccurrences(query),
        lateResults: await readLateResults(query),
      }))
      await cluster.witness.caughtUp()
      return {
        ...stored,
        jobs: new Map(load.jobs.map((job) => [job.name, job])),
        windows,
        isQuiet,
        calls,
        acknowledgedTriggers,
        lives: cluster.witness.lives(),
        schedules: [...schedules.values()],
        acknowledgedResults: [...results.values()],
        sightings: [...sightings.values()],
        slots: new Map(cluster.agents.map(({ name, slots }) => [name, slots])),
        ...(isQuiet ? findLeftovers(cluster) : { leftovers: [], leftoverPlaces: 0 }),
        sizes: measureProcesses(cluster),
      }
    },
  }
}

async function readExecutions(query: Query): Promise<ExecutionEvidence[]> {
  return query<ExecutionEvidence>(`
    select e.id, j.name as job, e.state, e.trigger, e.attempt, e.max_attempts as "maxAttempts",
      e.reason_code as "reasonCode", e.settled_at is not null as "isSettled"
    from rota.execution_any e join rota.job j on j.id = e.job_id`)
}

/** The output of these jobs is text; that of others is not read. */
async function readAttempts(query: Query, load: Load): Promise<AttemptEvidence[]> {
  const sql = `
    select a.execution_id as execution, a.number, a.epoch::text, a.worker, a.outcome,
      extract(epoch from a.assigned_at)::float8 * 1000 as "assignedMs",
      extract(epoch from a.ended_at)::float8 * 1000 as "endedMs",
      a.log_bytes_dropped::int as "droppedBytes", coalesce(l.stdout, '') as stdout
    from rota.attempt a
    left join (
      select execution_id, epoch, convert_from(string_agg(data, ''::bytea order by "offset"), 'UTF8') as stdout
      from rota.log_chunk
      where stream = 'stdout' and execution_id in (
        select e.id from rota.execution_any e join rota.job j on j.id = e.job_id where j.name = any($1))
      group by execution_id, epoch
    ) l on l.execution_id = a.execution_id and l.epoch = a.epoch
    order by a.execution_id, a.number, a.epoch`
  const names = load.jobs.map(({ name }) => name)
  const rows = await query<AttemptEvidence & { readonly epoch: string }>(sql, [names])
  return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch) }))
}

async function readOccurrences(query: Query): Promise<OccurrenceEvidence[]> {
  return query<OccurrenceEvidence>(`
    select j.name as job, extract(epoch from o.scheduled_for)::float8 * 1000 as "dueMs",
      extract(epoch from o.decided_at)::float8 * 1000 as "decidedMs", o.decision, o.execution_id as execution
    from rota.occurrence o join rota.job j on j.id = o.job_id
    order by j.name, o.scheduled_for`)
}

async function readSchedules(query: Query): Promise<ScheduleEvidence[]> {
  return query<ScheduleEvidence>(`
    select j.name as job, extract(epoch from j.created_at)::float8 * 1000 as "createdMs",
      extract(epoch from s.marked_at)::float8 * 1000 as "markMs"
    from rota.schedule s join rota.job j on j.id = s.job_id`)
}

async function readLateResults(query: Query): Promise<AcknowledgedResult[]> {
  const rows = await query<AcknowledgedResult & { readonly epoch: string }>(
    'select worker, execution_id as execution, epoch::text from rota.late_report',
  )
  return rows.map((row) => ({ ...row, epoch: BigInt(row.epoch) }))
}

/** Results in this agent's journal that were acknowledged. */
function readJournal({ dataDir, name }: AgentNode): AcknowledgedResult[] {
  const records = readText(agentFiles(dataDir).journal)
    .split('\n')
    .map(decodeRecord)
    .filter((record) => record !== undefined)
  const key = ({ epoch, execution }: (typeof records)[number]) => `${execution} ${epoch}`
  const finished = new Set(records.filter(({ type }) => type === 'finished').map(key))
  return records
    .filter((record) => record.type === 'acknowledged' && finished.has(key(record)))
    .map(({ epoch, execution }) => ({
      worker: name,
      execution: execution.replace('executions/', ''),
      epoch: BigInt(epoch),
    }))
}

/** What an attempt may leave behind, but must not. */
function findLeftovers(cluster: Cluster): Pick<Evidence, 'leftovers' | 'leftoverPlaces'> {
  const processes = cluster.agents.flatMap((agent) =>
    agent.jobPids().map((pid) => `process ${pid} of ${agent.name}: ${argumentsOf(pid).join(' ')}`),
  )
  const folders = cluster.agents.flatMap(({ dataDir, name }) =>
    listFolder(agentFiles(dataDir).attempts).map(
      (key) => `folder of an attempt on ${name}: ${key}`,
    ),
  )
  const fifos = listFolder(join(cluster.folder, 'witness'))
    .filter((file) => file !== 'register')
    .map((file) => `a FIFO that nobody opened: ${file}`)
  return {
    leftovers: [...processes, ...folders, ...fifos],
    leftoverPlaces: allPids().length + cluster.agents.length + 1,
  }
}

function measureProcesses(cluster: Cluster): ProcessSize[] {
  return [...cluster.coordinators, ...cluster.agents].flatMap(({ name, process }) =>
    process === undefined
      ? []
      : [
          {
            name: `${name} (pid ${process.pid})`,
            residentBytes: residentBytes(process.pid),
            descriptors: descriptorCount(process.pid),
          },
        ],
  )
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

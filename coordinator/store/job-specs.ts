/**
 * Job versions as the steps need them, read once: a version never changes, so what is here is never stale.
 * Bounded; the oldest read goes first.
 */
import { sql } from 'kysely'
import { JobSpec } from '../../proto/gen/rota/v1/job.ts'
import type { JobId } from '../job/execution.ts'
import type { Db } from './database.ts'

export interface StoredSpec {
  readonly jobId: JobId
  readonly jobVersion: number
  readonly jobName: string
  readonly jobUid: string
  readonly createdAt: Date
  readonly spec: JobSpec
}

export interface JobSpecs {
  /** The wanted versions by `specKey`; throws when one does not exist, which is a mistake of ours. */
  load(db: Db, wanted: readonly JobVersionRef[]): Promise<ReadonlyMap<string, StoredSpec>>
  /** The database has gone back: ids may mean something else by now. */
  forget(): void
}

export interface JobVersionRef {
  readonly jobId: JobId
  readonly jobVersion: number
}

export function specKey(ref: JobVersionRef): string {
  return `${ref.jobId}/${ref.jobVersion}`
}

const SPECS_MAX = 10_000

export function createJobSpecs(): JobSpecs {
  const known = new Map<string, StoredSpec>()
  return {
    async load(db, wanted) {
      const refs = new Map(wanted.map((ref) => [specKey(ref), ref]))
      const missing = [...refs].filter(([key]) => !known.has(key)).map(([, ref]) => ref)
      const read = missing.length === 0 ? [] : await readSpecs(db, missing)
      const found = new Map(read.map((stored) => [specKey(stored), stored]))
      for (const key of refs.keys()) {
        const stored = known.get(key)
        if (stored !== undefined) found.set(key, stored)
      }
      for (const [key, stored] of found) known.set(key, stored)
      for (const key of known.keys()) {
        if (known.size <= SPECS_MAX) break
        known.delete(key)
      }
      return found
    },
    forget: () => known.clear(),
  }
}

/** The spec of one reference out of what `load` gave. */
export function specOf(specs: ReadonlyMap<string, StoredSpec>, ref: JobVersionRef): StoredSpec {
  const stored = specs.get(specKey(ref))
  if (stored === undefined) throw new Error(`job version ${specKey(ref)} does not exist`)
  return stored
}

interface SpecRow {
  readonly job_id: JobId
  readonly version: number
  readonly spec: Record<string, unknown>
  readonly name: string
  readonly uid: string
  readonly created_at: Date
}

async function readSpecs(db: Db, wanted: readonly JobVersionRef[]): Promise<StoredSpec[]> {
  const { rows } = await sql<SpecRow>`/* readSpecs */
    select v.job_id, v.version, v.spec, j.name, j.uid, j.created_at
    from unnest(${wanted.map(({ jobId }) => jobId)}::bigint[], ${wanted.map(({ jobVersion }) => jobVersion)}::int[])
      as w (job_id, version)
    join rota.job_version v on v.job_id = w.job_id and v.version = w.version
    join rota.job j on j.id = v.job_id`.execute(db)
  return rows.map((row) => ({
    jobId: row.job_id,
    jobVersion: row.version,
    jobName: row.name,
    jobUid: row.uid,
    createdAt: row.created_at,
    spec: JobSpec.fromJSON(row.spec),
  }))
}

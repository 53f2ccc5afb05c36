import { Job } from '../../proto/gen/rota/v1/job.ts'
import type { JobRow } from '../query/job-queries.ts'
import { pauseNote, type SavedJob } from './save-spec.ts'

/** A stored job as it is saved anew. */
export function toSaved(row: JobRow): SavedJob {
  const { id, uid, name, created_at: createdAt, version, labels } = row
  const { spec } = Job.fromJSON({ spec: row.spec })
  if (spec === undefined) throw new Error(`job ${name} has no spec`)
  const until = row.resume_at ?? undefined
  const note = pauseNote({ reason: row.pause_reason, by: row.paused_by, until })
  return {
    ...{ id, uid, name, createdAt, version, labels, spec },
    pause: row.state === 'paused' ? { until, note } : undefined,
    skip:
      row.skip_left > 0 && row.skip_after !== null
        ? { count: row.skip_left, after: row.skip_after }
        : undefined,
  }
}

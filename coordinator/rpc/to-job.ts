import { Job, JobSpec, JobState } from '../../proto/gen/rota/v1/job.ts'
import { JobVersion } from '../../proto/gen/rota/v1/job_service.ts'
import { enumFromWord, resourceName } from '../../shared/wire.ts'
import { etagOf } from '../definition/define-job.ts'
import type { JobRow, listJobVersions } from '../query/job-queries.ts'

export function toJob(row: JobRow): Job {
  return Job.fromPartial({
    name: resourceName('jobs', row.name),
    uid: row.uid,
    displayName: row.display_name,
    description: row.description,
    state: enumFromWord(JobState, row.state),
    spec: JobSpec.fromJSON(row.spec),
    labels: row.labels,
    tags: row.tags,
    version: row.version,
    createTime: row.created_at,
    updateTime: row.updated_at,
    nextFireTime: row.run_at ?? undefined,
    lastFireTime: row.last_due_at ?? undefined,
    pauseReason: row.pause_reason,
    etag: etagOf(row),
    resumeTime: row.resume_at ?? undefined,
    skipCount: row.skip_left,
  })
}

export function toJobVersion(row: Awaited<ReturnType<typeof listJobVersions>>[number]): JobVersion {
  return JobVersion.fromPartial({
    version: row.version,
    spec: JobSpec.fromJSON(row.spec),
    createTime: row.created_at,
    createdBy: row.created_by,
    note: row.note,
  })
}

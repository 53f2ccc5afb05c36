/** The job that a command line describes: a job to start from, a file over it, the options on top. */
import { Job, JobSpec, type Task } from '../../../proto/gen/rota/v1/job.ts'
import type { Invocation } from '../../action.ts'
import { readPairs, withoutNone } from '../../option-values.ts'
import type { JobFlags } from './flags.ts'
import { readText } from './read-text.ts'
import { changeSpec, type SpecChange } from './spec-flags.ts'
import { changeTask } from './task-flags.ts'

interface Draft {
  readonly job: Job
  /** Paths that the command line sets, as an update mask has them, e.g. `spec.schedule`. */
  readonly mask: readonly string[]
}

/** `base` is what is there already; an empty job when it is to be created. */
export async function draftJob(
  invocation: Invocation,
  flags: JobFlags,
  base: Job = Job.fromPartial({}),
): Promise<Draft> {
  const start = await overlayFile(invocation, flags, base)
  const baseSpec = start.job.spec ?? JobSpec.fromPartial({})
  const spec = await changedSpec(invocation, flags, baseSpec)
  const about = changedAbout(flags)
  const isWhole = start.mask.includes('spec')
  const specPaths = Object.keys(spec).map((field) => `spec.${snakeCase(field)}`)
  return {
    job: { ...start.job, ...about, spec: { ...baseSpec, ...spec } },
    mask: [...new Set([...start.mask, ...Object.keys(about), ...(isWhole ? [] : specPaths)])],
  }
}

/** Fields of a job file that are a person's to set; the rest of what `job get -o yaml` prints is passed over. */
const SETTABLE = ['display_name', 'description', 'spec', 'labels', 'tags']

/** Whole fields: what the file's `spec` does not say is not in the job any more. */
async function overlayFile(invocation: Invocation, flags: JobFlags, base: Job): Promise<Draft> {
  if (flags.file === undefined) return { job: base, mask: [] }
  const text = await readText(invocation.host, '--file', flags.file)
  const { parseJobFile } = await import('./job-file.ts')
  const { job, fields } = parseJobFile(text, flags.file === '-' ? 'stdin' : flags.file)
  const mask = fields.filter((field) => SETTABLE.includes(field))
  const has = (field: string) => mask.includes(field)
  return {
    job: Job.fromPartial({
      ...base,
      name: job.name || base.name,
      etag: job.etag,
      ...(has('display_name') && { displayName: job.displayName }),
      ...(has('description') && { description: job.description }),
      ...(has('spec') && { spec: job.spec }),
      ...(has('labels') && { labels: job.labels }),
      ...(has('tags') && { tags: job.tags }),
    }),
    mask,
  }
}

async function changedSpec(
  { host }: Invocation,
  flags: JobFlags,
  base: JobSpec,
): Promise<SpecChange> {
  const kind = await changeTask(base.task?.kind, flags, (option, path) =>
    readText(host, option, path),
  )
  const task: Task | undefined = kind && { kind }
  return { ...(task && { task }), ...changeSpec(base, flags, host.clock.now()) }
}

function changedAbout({ description, label, tag }: JobFlags) {
  return {
    ...(description !== undefined && { description }),
    ...(label && { labels: readPairs('--label', withoutNone(label)) }),
    ...(tag && { tags: withoutNone(tag) }),
  }
}

function snakeCase(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

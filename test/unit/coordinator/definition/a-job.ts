/** Jobs to break in one place: everything else about them is right. */
import { type KnownWorld, validateJob } from '../../../../coordinator/definition/validate-job.ts'
import {
  ApiTask,
  Job,
  JobSpec,
  Placement,
  RetryPolicy,
  Schedule,
  ScriptTask,
  ShellTask,
  type Task,
} from '../../../../proto/gen/rota/v1/job.ts'

const WORLD: KnownWorld = {
  capabilities: new Set(['shell', 'gpu']),
  handlers: new Set(['backup']),
  workers: new Set(['worker-1', 'worker-2']),
  now: new Date('2026-11-20T10:00:00Z'),
}

export function job(spec: Partial<JobSpec> = {}, rest: Partial<Job> = {}): Job {
  const whole = { ...JobSpec.fromPartial({}), task: shell(), ...spec }
  return { ...Job.fromPartial({ name: 'jobs/sample' }), spec: whole, ...rest }
}

export function shell(task: Partial<ShellTask> = {}): Task {
  const value = { ...ShellTask.fromPartial({ command: 'true' }), ...task }
  return { kind: { $case: 'shell', value } }
}

export function script(task: Partial<ScriptTask> = {}): Task {
  const source = { $case: 'inline', value: 'echo' } as const
  return { kind: { $case: 'script', value: { ...ScriptTask.fromPartial({}), source, ...task } } }
}

export function api(task: Partial<ApiTask> = {}): Task {
  const value = { ...ApiTask.fromPartial({ url: 'https://example.org/' }), ...task }
  return { kind: { $case: 'api', value } }
}

export function schedule(rest: Partial<Schedule>): Schedule {
  return { ...Schedule.fromPartial({}), ...rest }
}

export function placement(rest: Partial<Placement>): Placement {
  return { ...Placement.fromPartial({}), ...rest }
}

export function retry(rest: Partial<RetryPolicy>): RetryPolicy {
  return { ...RetryPolicy.fromPartial({}), ...rest }
}

/** `path REASON message` of everything that is wrong. */
export function wrongs(broken: Job): string[] {
  return validateJob(broken, WORLD).map(
    ({ field, reason, message }) => `${field} ${reason}: ${message}`,
  )
}

/** The hint of the only violation. */
export function onlyHint(broken: Job): string | undefined {
  const violations = validateJob(broken, WORLD)
  if (violations.length !== 1) throw new Error(`${violations.length} violations`)
  return violations[0]?.hint
}

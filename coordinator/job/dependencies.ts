/** What a job that depends on others may do, given how those have fared. Pure. */
import {
  type Dependency,
  Dependency_OnFailure,
  Dependency_When,
} from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../../shared/duration.ts'

/** A path along `edges` (job -> what it depends on) from `start` back to it, first and last the same; undefined: none. */
export function findCycle(
  edges: ReadonlyMap<string, readonly string[]>,
  start: string,
): string[] | undefined {
  // Breadth first, so that the path is a shortest one; without recursion, so that no depth is too much.
  const cameFrom = new Map<string, string>()
  const open = [start]
  for (const job of open) {
    for (const on of edges.get(job) ?? []) {
      if (on === start) return pathTo(job, cameFrom, start)
      if (cameFrom.has(on)) continue
      cameFrom.set(on, job)
      open.push(on)
    }
  }
  return undefined
}

function pathTo(last: string, cameFrom: ReadonlyMap<string, string>, start: string): string[] {
  const backwards = [start]
  for (let job: string | undefined = last; job !== undefined; job = cameFrom.get(job)) {
    backwards.push(job)
  }
  return backwards.reverse()
}

/** When the last executions of a job ended, by how they ended. */
export interface JobActivity {
  readonly lastSucceededAt?: Date
  readonly lastFailedAt?: Date
}

export interface DependencyLook {
  readonly dependencies: readonly Dependency[]
  /** By job id, without `jobs/`. A job that is missing has never run. */
  readonly activities: ReadonlyMap<string, JobActivity>
  /** Completions up to here have been used by an earlier execution. */
  readonly mark: Date
  readonly now: Date
}

export type DependencyVerdict =
  | { readonly kind: 'ready' }
  | { readonly kind: 'waiting'; readonly on: string[] }
  /** A dependency failed whose failure the job takes over. */
  | { readonly kind: 'failed'; readonly on: string }

/** Ready when every dependency counts; failed as soon as one says so, whatever the others do. */
export function dependencyVerdict(look: DependencyLook): DependencyVerdict {
  const states = look.dependencies.map((dependency) => ({
    job: dependency.job.replace(/^jobs\//, ''),
    state: dependencyState(dependency, look),
  }))
  const failed = states.find(({ state }) => state === 'failed')
  if (failed !== undefined) return { kind: 'failed', on: failed.job }
  const on = states.filter(({ state }) => state === 'waiting').map(({ job }) => job)
  return on.length === 0 ? { kind: 'ready' } : { kind: 'waiting', on }
}

function dependencyState(
  dependency: Dependency,
  look: DependencyLook,
): 'done' | 'waiting' | 'failed' {
  const activity = look.activities.get(dependency.job.replace(/^jobs\//, '')) ?? {}
  const succeededMs = activity.lastSucceededAt?.getTime() ?? -Infinity
  const failedMs = activity.lastFailedAt?.getTime() ?? -Infinity
  const freshnessMs = durationToMs(dependency.freshness)
  const sinceMs = freshnessMs === undefined ? look.mark.getTime() : look.now.getTime() - freshnessMs
  if (completionMs(dependency.when, succeededMs, failedMs) > sinceMs) return 'done'
  const isFailed = failedMs > look.mark.getTime() && failedMs > succeededMs
  if (!isFailed) return 'waiting'
  switch (dependency.onFailure) {
    case Dependency_OnFailure.RUN:
      return 'done'
    case Dependency_OnFailure.FAIL:
      return 'failed'
    default:
      return 'waiting'
  }
}

function completionMs(when: Dependency_When, succeededMs: number, failedMs: number): number {
  switch (when) {
    case Dependency_When.FAILED:
      return failedMs
    case Dependency_When.COMPLETED:
      return Math.max(succeededMs, failedMs)
    default:
      return succeededMs
  }
}

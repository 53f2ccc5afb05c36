/** When Rota takes a worker out of service by itself, and when it does not dare to. Pure. */
import type { WorkerId } from '../job/execution.ts'
import { type PlacementNeeds, rejections, type WorkerSkills } from '../job/placement.ts'

/** What happened to one job of late, here and on other workers. */
export interface JobEvidence {
  readonly job: string
  readonly failedHere: number
  readonly succeededHere: number
  readonly failedElsewhere: number
  readonly succeededElsewhere: number
}

export interface FleetMember extends WorkerSkills {
  readonly id: WorkerId
  readonly slots: number
  /** Connected, and gets work. */
  readonly isActive: boolean
  readonly isCordonedByRota: boolean
}

export interface Suspicion {
  readonly workerId: WorkerId
  readonly evidence: readonly JobEvidence[]
  /** What the evidence was gathered over, for people. */
  readonly window: string
}

export interface CordonContext {
  readonly fleet: readonly FleetMember[]
  /** What executions need of workers. */
  readonly needs: readonly PlacementNeeds[]
}

export type CordonDecision =
  | { readonly kind: 'innocent' }
  | { readonly kind: 'cordon'; readonly reason: string }
  /** It should be, but the cluster could not bear it. */
  | { readonly kind: 'spared'; readonly reason: string; readonly because: string }

const JOBS_MIN = 2
const FAILURES_MIN = 5
/** Of all active workers no more are cordoned by Rota itself: when many fail, the fault is probably not theirs. */
const SHARE_MAX = 0.3
const JOBS_NAMED_MAX = 5

export function decideCordon(suspicion: Suspicion, context: CordonContext): CordonDecision {
  const blamed = suspicion.evidence.filter(speaksAgainstWorker)
  const failures = sum(blamed, ({ failedHere }) => failedHere)
  if (blamed.length < JOBS_MIN || failures < FAILURES_MIN) return { kind: 'innocent' }
  const reason = describe(blamed, failures, suspicion.window)
  const because = unbearable(suspicion.workerId, context)
  return because === undefined ? { kind: 'cordon', reason } : { kind: 'spared', reason, because }
}

/** The job never succeeds here and does elsewhere, more often than it fails there. */
function speaksAgainstWorker(evidence: JobEvidence): boolean {
  const { failedHere, succeededHere, failedElsewhere, succeededElsewhere } = evidence
  return failedHere > 0 && succeededHere === 0 && succeededElsewhere > failedElsewhere
}

/** Why the cluster could not bear to lose it; undefined: it could. */
function unbearable(workerId: WorkerId, { fleet, needs }: CordonContext): string | undefined {
  const suspect = fleet.find(({ id }) => id === workerId)
  if (suspect === undefined) return 'it is not there any more'
  const cordoned = fleet.filter(({ isCordonedByRota }) => isCordonedByRota).length
  const active = fleet.filter(({ isActive }) => isActive).length
  if (cordoned + 1 > SHARE_MAX * (active + cordoned)) {
    return `of ${active + cordoned} workers no more than ${SHARE_MAX * 100} % are cordoned by Rota itself`
  }
  const others = fleet.filter(({ id, isActive }) => isActive && id !== workerId)
  const only = needs.find((each) => fits(each, suspect) && !others.some((one) => fits(each, one)))
  return only && `no other worker can run what needs ${nameNeeds(only)}`
}

function fits(needs: PlacementNeeds, worker: FleetMember): boolean {
  return worker.slots >= needs.slots && rejections(needs, worker).length === 0
}

function nameNeeds({ capabilities, selector, worker, slots }: PlacementNeeds): string {
  const parts = [
    ...capabilities,
    selector,
    worker === '' ? '' : `worker ${worker}`,
    slots > 1 ? `${slots} slots` : '',
  ]
  return parts.filter((part) => part !== '').join(', ') || 'nothing in particular'
}

function describe(blamed: readonly JobEvidence[], failures: number, window: string): string {
  const worst = [...blamed].sort((a, b) => b.failedHere - a.failedHere)
  const named = worst
    .slice(0, JOBS_NAMED_MAX)
    .map(
      ({ job, failedHere, succeededElsewhere }) =>
        `${job} (${failedHere} failed here, ${succeededElsewhere} succeeded elsewhere)`,
    )
  const more = worst.length > named.length ? `, and ${worst.length - named.length} more` : ''
  return (
    `${failures} attempts of ${blamed.length} jobs failed here within ${window} and none succeeded, ` +
    `while the same jobs succeed elsewhere: ${named.join(', ')}${more}`
  )
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0)
}

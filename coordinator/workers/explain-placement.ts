/** Why an execution that is queued has no worker: the one place that puts it into words. Pure. */
import { type PlacementNeeds, rejections, type WorkerSkills } from '../job/placement.ts'
import { compareHealth, HEALTHS, type WorkerHealth } from '../job/worker-health.ts'
import type { WorkerState } from '../store/tables.ts'

export interface PlacedWorker extends WorkerSkills {
  readonly state: WorkerState
  readonly stateReason: string
  readonly health: WorkerHealth
  readonly slots: number
  readonly usedSlots: number
  /** Executions in hand. */
  readonly inFlight: number
}

export type WorkerFit =
  /** It would get the execution now. */
  | { readonly kind: 'eligible' }
  | { readonly kind: 'busy'; readonly why: string }
  | { readonly kind: 'unavailable'; readonly why: string }
  | { readonly kind: 'unfit'; readonly whys: readonly string[] }

export interface WorkerVerdict {
  readonly worker: PlacedWorker
  readonly fit: WorkerFit
}

export interface PlacementExplanation {
  /** Undefined: a worker is free, and gets it in a moment. */
  readonly reason:
    | { readonly code: 'NO_ELIGIBLE_WORKER' | 'NO_FREE_SLOT'; readonly message: string }
    | undefined
  /** The nearest first. */
  readonly verdicts: readonly WorkerVerdict[]
  /** What would let it start, most likely first. */
  readonly remedies: readonly string[]
}

const COMPATIBLE_SHOWN = 5
const MISSES_SHOWN = 3
const REMEDIES_MAX = 5

export function explainPlacement(
  needs: PlacementNeeds,
  workers: readonly PlacedWorker[],
): PlacementExplanation {
  const verdicts = workers
    .map((worker): WorkerVerdict => ({ worker, fit: fitOf(needs, worker) }))
    .sort(byNearness)
  const { eligible, busy, unavailable, unfit } = byKind(verdicts)
  const cluster = describeCluster(workers)
  if (eligible.length > 0) return { reason: undefined, verdicts, remedies: [] }
  if (busy.length > 0) {
    const all = list([...busy, ...unavailable], COMPATIBLE_SHOWN, describeVerdict)
    const message = `every worker that can run it is busy: ${all}. ${cluster}`
    const remedies = ['Wait for a free slot.', 'Add workers, or slots to these.']
    return { reason: { code: 'NO_FREE_SLOT', message }, verdicts, remedies }
  }
  const message = `${nobody(needs, { unavailable, unfit })} ${cluster}`
  const remedies = [...unavailable.map(remedyOf), lastRemedy(needs)].slice(0, REMEDIES_MAX)
  return { reason: { code: 'NO_ELIGIBLE_WORKER', message }, verdicts, remedies }
}

/** What stands between a worker and an execution with these needs. */
export function fitOf(needs: PlacementNeeds, worker: PlacedWorker): WorkerFit {
  const whys = rejections(needs, worker)
  if (worker.slots < needs.slots) {
    whys.push(`${worker.name} has ${count(worker.slots, 'slot')}, it needs ${needs.slots}.`)
  }
  if (whys.length > 0) return { kind: 'unfit', whys }
  const away = awayOf(worker)
  if (away !== undefined) return { kind: 'unavailable', why: away }
  if (worker.health === 'degraded' && worker.inFlight > 0) {
    return { kind: 'busy', why: 'degraded: it gets one execution at a time' }
  }
  if (worker.slots - worker.usedSlots >= needs.slots) return { kind: 'eligible' }
  return { kind: 'busy', why: `${worker.usedSlots} of ${count(worker.slots, 'slot')} used` }
}

/** Why it takes no work, whatever the work is; undefined when it does. */
function awayOf({
  state,
  stateReason,
  health,
  slots,
  usedSlots,
}: PlacedWorker): string | undefined {
  const isSilent = health === 'offline' || health === 'unresponsive'
  if (state === 'active') return isSilent ? health : undefined
  const because = stateReason === '' ? '' : `: ${stateReason}`
  const rest = isSilent ? health : `${health}, ${slots - usedSlots} of ${count(slots, 'slot')} free`
  return `${state}${because}; ${rest}`
}

const KINDS = ['eligible', 'busy', 'unavailable', 'unfit'] as const

function byNearness(a: WorkerVerdict, b: WorkerVerdict): number {
  return (
    KINDS.indexOf(a.fit.kind) - KINDS.indexOf(b.fit.kind) ||
    missing(a) - missing(b) ||
    compareHealth(a.worker.health, b.worker.health) ||
    (a.worker.name < b.worker.name ? -1 : 1)
  )
}

function missing({ fit }: WorkerVerdict): number {
  return fit.kind === 'unfit' ? fit.whys.length : 0
}

function byKind(verdicts: readonly WorkerVerdict[]) {
  const of = (kind: WorkerFit['kind']) => verdicts.filter(({ fit }) => fit.kind === kind)
  return {
    eligible: of('eligible'),
    busy: of('busy'),
    unavailable: of('unavailable'),
    unfit: of('unfit'),
  }
}

function nobody(
  needs: PlacementNeeds,
  { unavailable, unfit }: Pick<ReturnType<typeof byKind>, 'unavailable' | 'unfit'>,
): string {
  if (unavailable.length > 0) {
    const all = list(unavailable, COMPATIBLE_SHOWN, describeVerdict)
    return `${count(unavailable.length, 'worker')} could run it and none is available: ${all}.`
  }
  const nearest = list(unfit, MISSES_SHOWN, ({ worker, fit }) =>
    fit.kind === 'unfit' ? fit.whys.map((why) => why.replace(/\.$/, '')).join(', ') : worker.name,
  )
  const near = nearest === '' ? '' : ` Nearest: ${nearest}.`
  return `no worker has what it needs (${describeNeeds(needs)}).${near}`
}

function describeVerdict({ worker, fit }: WorkerVerdict): string {
  switch (fit.kind) {
    case 'eligible':
      return worker.name
    case 'busy':
    case 'unavailable':
      return `${worker.name} (${fit.why})`
    case 'unfit':
      return `${worker.name} (${fit.whys.join(' ')})`
  }
}

/** `shell, gpu; labels region = eu; 4 slots` */
function describeNeeds({ capabilities, selector, worker, slots }: PlacementNeeds): string {
  return [
    worker === '' ? '' : `only ${worker}`,
    capabilities.join(', '),
    selector === '' ? '' : `labels ${selector}`,
    slots > 1 ? `${slots} slots` : '',
  ]
    .filter((part) => part !== '')
    .join('; ')
}

/** `The cluster: 4 workers, 3 healthy, 1 offline; 1 cordoned.` */
function describeCluster(workers: readonly PlacedWorker[]): string {
  if (workers.length === 0) return 'The cluster has no workers.'
  const healths = HEALTHS.map((health) => [
    workers.filter((worker) => worker.health === health).length,
    health,
  ])
  const states = (['cordoned', 'draining', 'drained'] as const).map((state) => [
    workers.filter((worker) => worker.state === state).length,
    state,
  ])
  const [healthy, wanted] = [healths, states].map((counts) =>
    counts
      .filter(([found]) => found !== 0)
      .map((parts) => parts.join(' '))
      .join(', '),
  )
  const controlled = wanted === '' ? '' : `; ${wanted}`
  return `The cluster: ${count(workers.length, 'worker')}, ${healthy}${controlled}.`
}

function remedyOf({ worker }: WorkerVerdict): string {
  const { name, state, health } = worker
  if (state !== 'active') return `Put ${name} back into service: rota worker release ${name}`
  return `Start the agent of ${name}, which is ${health}, or mend its network.`
}

function lastRemedy(needs: PlacementNeeds): string {
  return `Add a worker that has ${describeNeeds(needs)}, or change the placement of the job.`
}

function list<T>(items: readonly T[], max: number, describe: (item: T) => string): string {
  const more = items.length > max ? `; and ${items.length - max} more` : ''
  return `${items.slice(0, max).map(describe).join('; ')}${more}`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** Where a job may run. */
import { type Placement, Placement_Spread } from '../../proto/gen/rota/v1/job.ts'
import {
  checkCount,
  checkEnum,
  checkInteger,
  checkRepeats,
  didYouMean,
  refuseFeature,
  show,
  violation,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { parseSelector } from '../job/selector.ts'

/** What the workers that ever joined have said of themselves. */
export interface KnownFleet {
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  /** Ids, without `workers/`. */
  readonly workers: ReadonlySet<string>
}

const CAPABILITIES_MAX = 32
const SLOTS_MAX = 1_000
const OTHER_SPREAD = 'A spread other than RELIABLE_LEAST_LOADED'

/** Capabilities of the release itself: right even before the first worker has joined. */
const OWN_CAPABILITIES: readonly string[] = ['shell', 'script', 'api']
const OWN_HANDLERS: readonly string[] = ['noop', 'echo', 'sleep', 'fail', 'log']

export function validatePlacement(
  field: string,
  placement: Placement | undefined,
  fleet: KnownFleet,
): FieldViolation[] {
  if (placement === undefined) return []
  const { capabilities, spread } = placement
  const isOtherSpread = spread === Placement_Spread.PACK || spread === Placement_Spread.RANDOM
  return [
    ...checkCount(`${field}.capabilities`, capabilities, CAPABILITIES_MAX),
    ...checkRepeats(`${field}.capabilities`, capabilities.slice(0, CAPABILITIES_MAX)),
    ...capabilities
      .slice(0, CAPABILITIES_MAX)
      .flatMap((name, index) => checkCapability(`${field}.capabilities[${index}]`, name, fleet)),
    ...validateSelector(`${field}.selector`, placement.selector),
    ...checkWorker(`${field}.worker`, placement.worker, fleet),
    ...checkEnum(`${field}.spread`, spread, Placement_Spread),
    ...refuseFeature(isOtherSpread, `${field}.spread`, OTHER_SPREAD),
    ...refuseFeature(placement.broadcast, `${field}.broadcast`, 'Broadcast'),
    ...checkInteger(`${field}.slots`, placement.slots, { min: 0, max: SLOTS_MAX }),
  ]
}

/** A handler that the release brings along, or that a worker has advertised. */
export function checkHandler(field: string, name: string, fleet: KnownFleet): FieldViolation[] {
  const known = [...OWN_HANDLERS, ...fleet.handlers]
  return known.includes(name)
    ? []
    : [unknown(field, `no worker has the handler ${show(name)}`, { name, known })]
}

function checkCapability(field: string, capability: string, fleet: KnownFleet): FieldViolation[] {
  if (capability.startsWith('handler:')) {
    return checkHandler(field, capability.slice('handler:'.length), fleet)
  }
  const known = [...OWN_CAPABILITIES, ...fleet.capabilities]
  if (known.includes(capability)) return []
  return [unknown(field, `no worker has ever had ${show(capability)}`, { name: capability, known })]
}

/** The id of a worker from `workers/ID`, blank for none, must be known. */
function checkWorker(field: string, worker: string, fleet: KnownFleet): FieldViolation[] {
  if (worker === '') return []
  const id = /^workers\/([^/]+)$/.exec(worker)?.[1]
  if (id === undefined) {
    const message = `${show(worker)} is not of the form workers/ID`
    return [violation(field, { reason: 'NAME_INVALID', message, hint: 'Write it as workers/ID.' })]
  }
  if (fleet.workers.has(id)) return []
  const hint = didYouMean(nearNames(id, fleet.workers))
  const message = `there is no worker ${show(id)}`
  return [violation(field, { reason: 'WORKER_NOT_FOUND', message, hint })]
}

function validateSelector(field: string, selector: string): FieldViolation[] {
  const reading = parseSelector(selector)
  if (reading.kind === 'ok') return []
  const { message, position, hint } = reading
  const reason = 'SELECTOR_INVALID'
  return [violation(field, { reason, message: `${message}, at character ${position}`, hint })]
}

interface UnknownName {
  readonly name: string
  readonly known: readonly string[]
}

function unknown(field: string, message: string, { name, known }: UnknownName): FieldViolation {
  const hint = didYouMean(nearNames(name, new Set(known)))
  return violation(field, { reason: 'CAPABILITY_UNKNOWN', message, hint })
}

/** What an execution needs of a worker, and whether a worker has it. Pure; free slots are the matcher's business. */
import type { JobSpec, Task } from '../../proto/gen/rota/v1/job.ts'
import { matchesSelector, parseSelector, type Selector } from './selector.ts'

export interface PlacementNeeds {
  /** Sorted, each once; with what the task kind implies: `shell`, `script`, `api` or `handler:NAME`. */
  readonly capabilities: readonly string[]
  /** A label selector; blank for none. */
  readonly selector: string
  /** Id of the only worker; blank for any. */
  readonly worker: string
  readonly slots: number
}

export interface WorkerSkills {
  readonly name: string
  readonly capabilities: ReadonlySet<string>
  readonly handlers: ReadonlySet<string>
  readonly labels: Readonly<Record<string, string>>
}

const HANDLER = 'handler:'

/** Needs of an execution of `spec`; `pinnedWorker` (an id) wins over the job's own pin. */
export function placementNeeds(spec: JobSpec, pinnedWorker?: string): PlacementNeeds {
  if (pinnedWorker !== undefined) return readNeeds(spec, pinnedWorker)
  const known = unpinnedNeeds.get(spec) ?? readNeeds(spec, '')
  unpinnedNeeds.set(spec, known)
  return known
}

/** Specs are read once, and then looked at for every execution. */
const unpinnedNeeds = new WeakMap<JobSpec, PlacementNeeds>()

function readNeeds(spec: JobSpec, pinnedWorker: string): PlacementNeeds {
  const { placement } = spec
  const capabilities = [...impliedCapabilities(spec.task), ...(placement?.capabilities ?? [])]
  return {
    capabilities: [...new Set(capabilities)].sort(),
    selector: placement?.selector.trim() ?? '',
    worker: pinnedWorker || (placement?.worker.replace(/^workers\//, '') ?? ''),
    slots: placement?.slots || 1,
  }
}

function impliedCapabilities(task: Task | undefined): string[] {
  if (task?.kind === undefined) return []
  return [task.kind.$case === 'handler' ? `${HANDLER}${task.kind.value.handler}` : task.kind.$case]
}

/** The same text for equal needs: the key of their placement class. */
export function placementKey(needs: PlacementNeeds): string {
  const known = keys.get(needs) ?? writeKey(needs)
  keys.set(needs, known)
  return known
}

/** Those of a spec are asked for with every execution. */
const keys = new WeakMap<PlacementNeeds, string>()

function writeKey({ capabilities, selector, slots, worker }: PlacementNeeds): string {
  return JSON.stringify([[...new Set(capabilities)].sort(), selector, worker, slots])
}

/** Why the worker cannot take it, in sentences for people; empty when it can. */
export function rejections(needs: PlacementNeeds, worker: WorkerSkills): string[] {
  const sentences: string[] = []
  if (needs.worker !== '' && needs.worker !== worker.name) {
    sentences.push(`It runs on ${needs.worker} only.`)
  }
  for (const capability of needs.capabilities) {
    if (hasCapability(worker, capability)) continue
    sentences.push(
      capability.startsWith(HANDLER)
        ? `${worker.name} has no handler ${capability.slice(HANDLER.length)}.`
        : `${worker.name} lacks the capability ${capability}.`,
    )
  }
  const selector = selectorOf(needs.selector)
  if (selector === undefined || !matchesSelector(selector, worker.labels)) {
    sentences.push(`The labels of ${worker.name} do not match ${needs.selector}.`)
  }
  return sentences
}

/** Selectors read so far: matching asks for the same few again and again. */
const selectors = new Map<string, Selector | undefined>()
const SELECTORS_MAX = 1_000

/** Undefined for one that cannot be read: it matches nobody rather than everybody. */
function selectorOf(text: string): Selector | undefined {
  if (selectors.has(text)) return selectors.get(text)
  const reading = parseSelector(text)
  const selector = reading.kind === 'ok' ? reading.selector : undefined
  if (selectors.size >= SELECTORS_MAX) selectors.clear()
  selectors.set(text, selector)
  return selector
}

function hasCapability(worker: WorkerSkills, capability: string): boolean {
  return capability.startsWith(HANDLER)
    ? worker.handlers.has(capability.slice(HANDLER.length))
    : worker.capabilities.has(capability)
}

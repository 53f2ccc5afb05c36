/** What an UpdateWorker wants changed. Pure. */
import type { UpdateWorkerRequest, Worker } from '../../proto/gen/rota/v1/worker_service.ts'
import { type FieldViolation, refuseViolations } from '../../shared/errors/rota-error.ts'
import { nearNames } from '../../shared/near-names.ts'
import { validateLabels } from '../definition/validate-labels.ts'
import type { LabelChange } from './label-change.ts'

/** Undefined: stays as it is. */
export interface WorkerUpdate {
  readonly displayName: string | undefined
  /** 0: all that the agent offers. */
  readonly slotCount: number | undefined
  readonly labels: LabelChange | undefined
}

const FIELDS = ['display_name', 'slot_count', 'labels'] as const
type Field = (typeof FIELDS)[number]

const LABEL = 'labels.'
const DISPLAY_NAME_LENGTH_MAX = 200
const SLOTS_MAX = 10_000

/** Throws for a mask that names what cannot be changed, and for values that are not allowed. */
export function readWorkerUpdate({ worker, updateMask }: UpdateWorkerRequest): WorkerUpdate {
  if (worker === undefined) return NOTHING
  const mask = updateMask ?? []
  const keys = mask.filter((path) => path.startsWith(LABEL)).map((path) => path.slice(LABEL.length))
  const fields = mask.length === 0 ? setFields(worker) : mask.flatMap(expand)
  const update = {
    displayName: fields.includes('display_name') ? worker.displayName : undefined,
    slotCount: fields.includes('slot_count') ? worker.slotCount : undefined,
    labels: labelChange(worker, { isAll: fields.includes('labels'), keys }),
  }
  refuseViolations([...checkMask(mask), ...checkUpdate(worker, update, keys)])
  return update
}

const NOTHING: WorkerUpdate = { displayName: undefined, slotCount: undefined, labels: undefined }

function setFields({ displayName, slotCount, labels }: Worker): Field[] {
  return [
    ...(displayName === '' ? [] : ['display_name' as const]),
    ...(slotCount === 0 ? [] : ['slot_count' as const]),
    ...(Object.keys(labels).length === 0 ? [] : ['labels' as const]),
  ]
}

function expand(path: string): Field[] {
  if (path === '*') return [...FIELDS]
  return FIELDS.filter((field) => field === toSnake(path))
}

function checkMask(mask: readonly string[]): FieldViolation[] {
  return mask.flatMap((path) => {
    if (path.startsWith(LABEL) || expand(path).length > 0) return []
    const near = nearNames(toSnake(path), FIELDS)
    const message = `${JSON.stringify(path.slice(0, 100))} cannot be updated`
    const hint =
      near.length === 0
        ? `Name one of ${FIELDS.join(', ')} or labels.KEY.`
        : `Did you mean ${near.join(' or ')}?`
    return [{ field: 'update_mask', reason: 'UPDATE_MASK_INVALID', message, hint } as const]
  })
}

function labelChange(
  { labels }: Worker,
  { isAll, keys }: { readonly isAll: boolean; readonly keys: readonly string[] },
): LabelChange | undefined {
  if (isAll) return { kind: 'all', labels }
  if (keys.length === 0) return undefined
  const given = new Map(Object.entries(labels))
  return { kind: 'some', values: new Map(keys.map((key) => [key, given.get(key)])) }
}

function checkUpdate(
  worker: Worker,
  update: WorkerUpdate,
  keys: readonly string[],
): FieldViolation[] {
  const violations: FieldViolation[] = []
  if ((update.displayName?.length ?? 0) > DISPLAY_NAME_LENGTH_MAX) {
    const message = `is longer than ${DISPLAY_NAME_LENGTH_MAX} characters`
    violations.push({ field: 'worker.display_name', reason: 'FIELD_TOO_LONG', message })
  }
  const slots = update.slotCount ?? 0
  if (slots < 0 || slots > SLOTS_MAX) {
    const message = `must be 1 to ${SLOTS_MAX}, or 0 for all that its agent offers`
    violations.push({ field: 'worker.slot_count', reason: 'FIELD_INVALID', message })
  }
  if (update.labels === undefined) return violations
  const named = Object.fromEntries(keys.map((key) => [key, '']))
  return [...violations, ...validateLabels('worker.labels', { ...named, ...worker.labels })]
}

function toSnake(path: string): string {
  return path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

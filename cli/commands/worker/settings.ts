/** `worker label` and `worker set`. */
import {
  UpdateWorkerRequest,
  Worker,
  WorkerServiceService,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler, Invocation } from '../../action.ts'
import { toName } from '../../names.ts'
import { readInteger, usageError } from '../../option-values.ts'
import { describeLabels } from './describe.ts'
import { presentWorker } from './present-worker.ts'

/** `KEY=VALUE` sets a label, `KEY-` takes it away. */
export const labelWorker: Handler<object, readonly [string, ...string[]]> = async (
  invocation,
  _options,
  ...[name, ...changes]
) => {
  const labels: Record<string, string> = {}
  const updateMask: string[] = []
  for (const change of changes) {
    const [, key = '', value] = /^([^=]+?)(?:=(.*)|-)$/s.exec(change) ?? []
    if (key === '') {
      const hint = 'Write KEY=VALUE to set a label, KEY- to take it away.'
      throw usageError('label', `${JSON.stringify(change)} is no change of a label`, hint)
    }
    updateMask.push(`labels.${key}`)
    if (value !== undefined) labels[key] = value
  }
  const worker = await update(invocation, { name, labels }, updateMask)
  await presentWorker(invocation, worker, `labels: ${describeLabels(worker.labels) || 'none'}`)
}

interface SetOptions {
  readonly slots?: string
  readonly displayName?: string
}

const SLOTS_MAX = 10_000

export const setWorker: Handler<SetOptions, readonly [string]> = async (
  invocation,
  { slots, displayName },
  name,
) => {
  if (slots === undefined && displayName === undefined) {
    throw usageError('--slots', 'is missing', 'Give --slots or --display-name.')
  }
  const slotCount =
    slots === undefined || slots === 'all'
      ? 0
      : readInteger('--slots', slots, { min: 1, max: SLOTS_MAX })
  const updateMask = [
    ...(slots === undefined ? [] : ['slot_count']),
    ...(displayName === undefined ? [] : ['display_name']),
  ]
  const change = { name, slotCount, displayName: displayName ?? '' }
  const worker = await update(invocation, change, updateMask)
  await presentWorker(invocation, worker, `has ${worker.slotCount} slots`)
}

async function update(
  invocation: Invocation,
  { name, ...change }: Partial<Worker> & { readonly name: string },
  updateMask: string[],
): Promise<Worker> {
  const api = await invocation.connect()
  const worker = Worker.fromPartial({ ...change, name: toName('workers', name) })
  const request = UpdateWorkerRequest.fromPartial({ worker, updateMask })
  const { worker: after } = await api.call(WorkerServiceService.updateWorker, request)
  assert(after !== undefined, 'UpdateWorker answered without a worker')
  return after
}

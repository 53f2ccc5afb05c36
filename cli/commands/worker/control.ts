/** `worker cordon`, `worker release` and `worker delete`. */
import {
  CordonWorkerRequest,
  DeleteWorkerRequest,
  DeleteWorkerResponse,
  ReleaseWorkerRequest,
  WorkerServiceService,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { assert } from '../../../shared/assert.ts'
import type { Handler } from '../../action.ts'
import { confirm } from '../../confirm.ts'
import { EXIT } from '../../exit-codes.ts'
import { toId, toName } from '../../names.ts'
import { present } from '../../output/present.ts'
import { escapeControls } from '../../output/text.ts'
import { presentWorker } from './present-worker.ts'

interface CordonOptions {
  readonly reason?: string
}

export const cordonWorker: Handler<CordonOptions, readonly [string]> = async (
  invocation,
  { reason },
  name,
) => {
  const api = await invocation.connect()
  const { worker } = await api.call(
    WorkerServiceService.cordonWorker,
    CordonWorkerRequest.fromPartial({ name: toName('workers', name), reason: reason ?? '' }),
  )
  assert(worker !== undefined, 'CordonWorker answered without a worker')
  const running = worker.usedSlotCount === 0 ? '' : '; what runs there goes on'
  await presentWorker(invocation, worker, `cordoned: it gets no new work${running}`)
}

export const releaseWorker: Handler<object, readonly [string]> = async (
  invocation,
  _options,
  name,
) => {
  const api = await invocation.connect()
  const request = ReleaseWorkerRequest.fromPartial({ name: toName('workers', name) })
  const { worker } = await api.call(WorkerServiceService.releaseWorker, request)
  assert(worker !== undefined, 'ReleaseWorker answered without a worker')
  await presentWorker(invocation, worker, 'released: it gets work again')
}

interface DeleteOptions {
  readonly force?: boolean
  readonly yes?: boolean
}

export const deleteWorker: Handler<DeleteOptions, readonly [string]> = async (
  invocation,
  { force, yes },
  text,
) => {
  const name = toName('workers', text)
  const lost = force === true ? ' What it runs is lost and goes on elsewhere.' : ''
  const question = `Delete worker ${toId(name)}? Its certificate is revoked.${lost}`
  if (!(await confirm(invocation, { question, isSure: yes === true }))) return EXIT.error
  const api = await invocation.connect()
  const request = DeleteWorkerRequest.fromPartial({ name, force: force === true })
  const message = await api.call(WorkerServiceService.deleteWorker, request)
  await present(invocation, {
    answer: { typeName: 'rota.v1.DeleteWorkerResponse', codec: DeleteWorkerResponse, message },
    names: () => [name],
    text: () => `${escapeControls(`worker ${toId(name)} deleted`)}\n`,
  })
  return EXIT.ok
}

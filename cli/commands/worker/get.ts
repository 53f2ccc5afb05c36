import {
  GetWorkerRequest,
  Worker,
  WorkerServiceService,
  WorkerState,
} from '../../../proto/gen/rota/v1/worker_service.ts'
import { assert } from '../../../shared/assert.ts'
import { durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import type { Handler } from '../../action.ts'
import { toId, toName } from '../../names.ts'
import { type Detail, renderDetails } from '../../output/details.ts'
import { present } from '../../output/present.ts'
import type { Screen } from '../../output/screen.ts'
import { exactTime } from '../../output/time.ts'
import { paintState } from '../../words.ts'
import {
  describeDrain,
  describeHealth,
  describeLabels,
  describeLoads,
  describeState,
} from './describe.ts'

export const getWorker: Handler<object, readonly [string]> = async (invocation, _options, name) => {
  const api = await invocation.connect()
  const request = GetWorkerRequest.fromPartial({ name: toName('workers', name) })
  const { worker } = await api.call(WorkerServiceService.getWorker, request)
  assert(worker !== undefined, 'GetWorker answered without a worker')
  await present(invocation, {
    answer: { typeName: 'rota.v1.Worker', codec: Worker, message: worker },
    names: () => [worker.name],
    text: (screen) => renderDetails(workerLines(worker, screen), screen.width),
  })
}

function workerLines(worker: Worker, screen: Screen): Detail[] {
  const at = (time: Date | undefined) => time && exactTime(time, screen.now)
  const health = describeHealth(worker)
  const skewMs = durationToMs(worker.clockSkew) ?? 0
  return [
    ['worker', toId(worker.name)],
    ['name', worker.displayName],
    [
      'health',
      [health, worker.healthMessage].filter(Boolean).join(': '),
      (line) => paintState(screen, health.split(',')[0] ?? '', line),
    ],
    ['state', describeState(worker)],
    ['since', worker.state === WorkerState.ACTIVE ? '' : at(worker.stateTime)],
    ['drain', describeDrain(worker, screen.now)],
    ['slots', `${worker.usedSlotCount} of ${worker.slotCount} used`],
    ['capabilities', worker.capabilities.join(', ')],
    ['handlers', worker.handlers.join(', ')],
    ['labels', describeLabels(worker.labels)],
    ['failures', worker.consecutiveFailures > 0 ? `${worker.consecutiveFailures} in a row` : ''],
    ['load', describeLoads(worker)],
    ['refused', worker.refusedMessageCount > 0n ? `${worker.refusedMessageCount} messages` : ''],
    ['host', worker.hostname],
    ['platform', worker.platform],
    ['agent', worker.agentVersion],
    ['connected', at(worker.connectTime)],
    ['last seen', at(worker.lastHeartbeatTime)],
    [
      'clock',
      Math.abs(skewMs) >= 100
        ? `${formatDurationMs(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}`
        : '',
    ],
  ]
}

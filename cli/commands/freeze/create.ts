import {
  CreateFreezeRequest,
  Freeze,
  Freeze_After,
  FreezeServiceService,
} from '../../../proto/gen/rota/v1/freeze_service.ts'
import { assert } from '../../../shared/assert.ts'
import { newId } from '../../../shared/ids.ts'
import { enumFromWord } from '../../../shared/wire.ts'
import type { Handler } from '../../action.ts'
import { toId } from '../../names.ts'
import { readTime, readWord, usageError } from '../../option-values.ts'
import { wordsOf } from '../../words.ts'
import { presentFreeze } from './present-freeze.ts'

interface CreateOptions {
  readonly until?: string
  readonly from?: string
  readonly jobs?: string
  readonly selector?: string
  readonly after?: string
  readonly includeManual?: boolean
  readonly reason?: string
  readonly dryRun?: boolean
}

export const createFreeze: Handler<CreateOptions, readonly [string]> = async (
  invocation,
  options,
  name,
) => {
  const { host } = invocation
  const freeze = readFreeze(options, host.clock.now())
  const api = await invocation.connect()
  const response = await api.call(
    FreezeServiceService.createFreeze,
    CreateFreezeRequest.fromPartial({
      freezeId: toId(name),
      freeze,
      requestId: newId(host.clock, host.random),
      validateOnly: options.dryRun === true,
    }),
  )
  assert(response.freeze !== undefined, 'CreateFreeze answered without a freeze')
  const done = options.dryRun ? 'valid, not stored' : 'created'
  await presentFreeze(invocation, response.freeze, done)
}

function readFreeze(options: CreateOptions, now: Date): Freeze {
  const { after, from, includeManual, jobs, reason, selector, until } = options
  if (until === undefined) {
    const hint = 'Every freeze has an end, e.g. --until "in 2h"; it can be ended before.'
    throw usageError('--until', 'is missing', hint)
  }
  return Freeze.fromPartial({
    reason: reason ?? '',
    jobPrefix: jobs ?? '',
    selector: selector ?? '',
    includeManual: includeManual === true,
    endTime: readTime('--until', until, now),
    ...(from !== undefined && { startTime: readTime('--from', from, now) }),
    ...(after !== undefined && {
      after: enumFromWord(Freeze_After, readWord('--after', after, wordsOf(Freeze_After))),
    }),
  })
}

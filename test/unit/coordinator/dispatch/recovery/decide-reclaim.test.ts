import { describe, expect, test } from 'vitest'
import {
  decideReclaim,
  type LiveExecution,
} from '../../../../../coordinator/dispatch/recovery/decide-reclaim.ts'
import {
  type Epoch,
  type ExecutionId,
  LIVE_STATES,
  type SessionId,
} from '../../../../../coordinator/job/execution.ts'

const executionId = 'e' as ExecutionId
const OWN = 'own' as SessionId
const OTHER = 'other' as SessionId

/** The agent shows epoch 5; the failover came after epoch 9. */
function decide(live: Partial<LiveExecution> | undefined, isSettled = false, epoch = 5) {
  return decideReclaim(
    { executionId, epoch: epoch as Epoch },
    {
      live: live && {
        ...{ id: executionId, epoch: 5 as Epoch, state: 'running', session_id: OWN },
        ...live,
      },
      isSettled,
      sessionId: OWN,
      epochFloor: 9,
    },
  )
}

test('what is current and under its session is as it always was', () => {
  expect(decide({})).toBe('own')
})

test.each(LIVE_STATES)(
  'an assignment that the row has lost is taken up again, though it is %s',
  (state) => {
    const session_id = state === 'assigned' || state === 'running' ? OTHER : null
    expect(decide({ state, epoch: 4 as Epoch, session_id })).toBe('restore')
  },
)

describe('nothing is taken up', () => {
  test('of an older epoch than the row', () => {
    expect(decide({ epoch: 6 as Epoch })).toBe('gone')
  })

  test('of the same epoch under another session, or when the attempt is over', () => {
    expect(decide({ session_id: OTHER })).toBe('gone')
    expect(decide({ state: 'backoff', session_id: null })).toBe('gone')
  })

  test('of an epoch that nobody can have had before the failover', () => {
    expect(decide({ state: 'queued', epoch: 4 as Epoch, session_id: null }, false, 10)).toBe('gone')
    expect(decide({ state: 'queued', epoch: 4 as Epoch, session_id: null }, false, 9)).toBe(
      'restore',
    )
  })

  test('of an execution that has ended', () => {
    expect(decide(undefined, true)).toBe('gone')
  })
})

test('an execution of which there is no row may come back', () => {
  expect(decide(undefined)).toBe('wait')
})

import { expect, test } from 'vitest'
import type { AgentSession } from '../../../../coordinator/dispatch/agent-session.ts'
import { createFleet } from '../../../../coordinator/dispatch/fleet.ts'
import type { Epoch, ExecutionId, SessionId } from '../../../../coordinator/job/execution.ts'

const sessionId = 'session' as SessionId
const id = 'execution' as ExecutionId

/** A fleet of one session, and what that has in flight. */
function oneSession() {
  const fleet = createFleet()
  const session = { profile: { id: sessionId }, inFlight: new Map(), stopsSent: new Map() }
  fleet.add(session as unknown as AgentSession)
  return { fleet, inFlight: session.inFlight }
}

test('the end of an attempt that is heard late leaves the next attempt its slots', () => {
  const { fleet, inFlight } = oneSession()
  fleet.reserve(sessionId, id, 1)
  fleet.confirm(sessionId, id, 1 as Epoch)
  fleet.reserve(sessionId, id, 2)
  fleet.release(sessionId, { id, epoch: 1 as Epoch })
  expect(inFlight.get(id)).toEqual({ slots: 2, epoch: undefined })
  fleet.confirm(sessionId, id, 2 as Epoch)
  fleet.release(sessionId, { id, epoch: 1 as Epoch })
  expect(inFlight.size).toBe(1)
  fleet.release(sessionId, { id, epoch: 2 as Epoch })
  expect(inFlight.size).toBe(0)
})

test('a reservation is given back, an attempt is not', () => {
  const { fleet, inFlight } = oneSession()
  fleet.reserve(sessionId, id, 1)
  fleet.unreserve(sessionId, id)
  expect(inFlight.size).toBe(0)
  fleet.reserve(sessionId, id, 1)
  fleet.confirm(sessionId, id, 1 as Epoch)
  fleet.unreserve(sessionId, id)
  expect(inFlight.size).toBe(1)
})

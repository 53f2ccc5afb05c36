import { afterAll, beforeAll, expect, test } from 'vitest'
import { AttemptOutcome, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedIdentity,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

/** More than get in at once, and than the first burst lets through. */
const AGENTS = 100

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

interface Held {
  readonly identity: ScriptedIdentity
  readonly execution: string
  readonly epoch: bigint
}

/** Begins a session, coming again when it is told to. */
async function enter(
  identity: ScriptedIdentity,
  held: readonly Omit<Held, 'identity'>[],
): Promise<ScriptedSession> {
  const hello = { slots: 1, held: held.map((each) => ({ ...each, finished: false })) }
  for (let tries = 0; ; tries++) {
    try {
      return await connectScripted(rota, identity, hello)
    } catch (error) {
      const { code, retryAfterMs = 200 } = error as RotaError
      if (code !== 'UNAVAILABLE' || tries > 50) throw error
      await new Promise((resolve) => setTimeout(resolve, retryAfterMs))
    }
  }
}

async function joinAll(): Promise<ScriptedIdentity[]> {
  const { token } = await rota.workers.createEnrollmentToken({ maxUses: AGENTS })
  const identities: ScriptedIdentity[] = []
  for (let index = 0; index < AGENTS; index++) {
    identities.push(await joinScripted(rota, `crowd-${index}`, token))
  }
  return identities
}

test('a hundred agents that come back at once keep all that they run', async () => {
  const identities = await joinAll()
  await rota.createJob('crowd', shell('true'))
  const held = await Promise.all(
    identities.map(async (identity): Promise<Held> => {
      const session = await enter(identity, [])
      await rota.trigger('crowd')
      const { execution, epoch } = await session.assignment()
      await session.report({
        accepted: [{ execution, epoch }],
        started: [{ execution, epoch, startTime: new Date() }],
      })
      return { identity, execution, epoch }
    }),
  )
  await rota.restart()
  const sessions = await Promise.all(
    held.map(async ({ identity, ...attempt }) => enter(identity, [attempt])),
  )
  await Promise.all(
    sessions.map(async (session, index) => session.report({ finished: [finished(held[index]!)] })),
  )
  const ended = await Promise.all(held.map(async ({ execution }) => rota.execution(execution)))
  expect(ended.filter(({ state }) => state !== ExecutionState.SUCCEEDED)).toEqual([])
  const outcomes = ended.flatMap(({ attempts }) => attempts.map(({ outcome }) => outcome))
  expect(outcomes).toEqual(Array(AGENTS).fill(AttemptOutcome.SUCCEEDED))
  for (const session of sessions) session.cut()
})

/**
 * What a coordinator makes of a database that has gone back, word by word. The failover is told, not made: the database
 * is set to have last been on an older timeline, and what it shall have forgotten is taken out of it.
 */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { Client } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import {
  connectScripted,
  finished,
  joinScripted,
  type ScriptedIdentity,
} from '../support/scripted-agent.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
const others: TestCoordinator[] = []

afterEach(async () => {
  for (const other of others.splice(0)) await other.remove()
  await rota.remove()
})

/** A job of shell `quick`, and agents that have joined. */
async function start(names: readonly string[], args: readonly string[] = []) {
  rota = await startTestCoordinator(args)
  await rota.createJob('quick', shell('true'))
  const identities: ScriptedIdentity[] = []
  for (const name of names) identities.push(await joinScripted(rota, name))
  return identities
}

/** The coordinator comes back to a server on a newer timeline, which lacks what `forget` takes away. */
async function failOver(forget: () => Promise<unknown>): Promise<void> {
  await rota.stop()
  await forget()
  await sql`update rota.cluster_state set timeline = 0`.execute(rota.db)
  await rota.start()
}

async function isRecovering(): Promise<boolean> {
  const { rows } = await sql<{ is_recovering: boolean }>`
    select recovering_since is not null as is_recovering from rota.cluster_state`.execute(rota.db)
  return rows[0]!.is_recovering
}

const untilRecovered = () => until('it is over', async () => !(await isRecovering()))

/** The row as it was before its last assignment. */
function forgetClaim(execution: { readonly name: string }) {
  return sql`update rota.execution set state = 'queued', epoch = 0, attempt = 0, session_id = null, worker_id = null,
      assigned_at = null, accepted_at = null, started_at = null
    where id = ${idOf(execution)}`.execute(rota.db)
}

function idOf({ name }: { readonly name: string }): string {
  return name.replace('executions/', '')
}

const endsIn = (execution: Execution, state: ExecutionState, attempts: number) =>
  expect({ state: execution.state, attempts: execution.attempts.length }).toEqual({
    state,
    attempts,
  })

describe('an attempt whose assignment was lost', () => {
  test('goes on where it is, with its epoch; its worker is asked to offer again, once', async () => {
    const [ada] = await start(['ada'])
    const before = await connectScripted(rota, ada!)
    const { name } = await rota.trigger('quick')
    const { execution, epoch } = await before.assignment(name)
    await before.report({
      accepted: [{ execution, epoch }],
      started: [{ execution, epoch, startTime: undefined }],
    })
    await failOver(() => forgetClaim({ name }))
    const held = [{ execution, epoch, finished: false }]
    const session = await connectScripted(rota, ada!, { held })
    expect(session.welcome.offerAgain).toBe(true)
    await session.report({ offeredAgain: true })
    await untilRecovered()
    expect((await rota.execution(name)).state).toBe(ExecutionState.RUNNING)
    await session.report({ finished: [finished({ execution, epoch })] })
    const ended = await rota.ended(name)
    endsIn(ended, ExecutionState.SUCCEEDED, 1)
    expect(ended.attempts[0]).toMatchObject({ number: 1, epoch })
    expect(session.stops).toEqual([])
    const next = await connectScripted(rota, ada!)
    expect(next.welcome.offerAgain).toBe(false)
  })

  test('ends by its result alone, which was acknowledged before', async () => {
    const [ada] = await start(['ada'])
    const before = await connectScripted(rota, ada!)
    const { name } = await rota.trigger('quick')
    const attempt = await before.assignment(name)
    await before.report({ accepted: [attempt] })
    await failOver(() => forgetClaim({ name }))
    const session = await connectScripted(rota, ada!)
    await session.report({ finished: [finished(attempt)], offeredAgain: true })
    endsIn(await rota.ended(name), ExecutionState.SUCCEEDED, 1)
    await untilRecovered()
    expect(session.assignments).toEqual([])
  })

  test('is nobody’s who could not have had it: an epoch of the future takes nothing', async () => {
    const [ada] = await start(['ada'])
    const { name } = await rota.trigger('quick')
    await failOver(async () => {})
    const { rows } = await sql<{
      floor: number
    }>`select epoch_floor as floor from rota.cluster_state`.execute(rota.db)
    const epoch = BigInt(rows[0]!.floor + 1_000)
    const session = await connectScripted(rota, ada!, {
      held: [{ execution: name, epoch, finished: false }],
    })
    await until('it is told to stop', () => session.stops.some((stop) => stop.execution === name))
    await session.report({ finished: [finished({ execution: name, epoch })], offeredAgain: true })
    const attempt = await session.assignment(name)
    expect(attempt.epoch).toBeLessThan(epoch)
  })

  test('goes on though the row still has the one before in hand, of another worker that is silent', async () => {
    const [ada, bob] = await start(['ada', 'bob'], ['--lease', '3s'])
    const first = await connectScripted(rota, ada!)
    const { name } = await rota.trigger('quick')
    const older = await first.assignment(name)
    await first.report({ accepted: [older] })
    first.cut()
    await failOver(async () => {})
    // Given out once more before the failover; the database knows neither that nor the end of the older one.
    const newer = { execution: name, epoch: older.epoch + 1n }
    const session = await connectScripted(rota, bob!, { held: [{ ...newer, finished: false }] })
    await session.report({ offeredAgain: true })
    await untilRecovered()
    await session.report({ finished: [finished(newer)] })
    const ended = await rota.ended(name)
    endsIn(ended, ExecutionState.SUCCEEDED, 1)
    expect(ended.attempts[0]).toMatchObject({ epoch: newer.epoch, worker: 'workers/bob' })
  })
})

describe('a result whose execution was lost', () => {
  test('is not acknowledged while due times are undecided, and settles the execution that comes back', async () => {
    const [ada] = await start(['ada'])
    await rota.createJob('later', { ...shell('true'), ...schedule({ every: seconds('3600s') }) })
    const before = await connectScripted(rota, ada!)
    const { name } = await rota.trigger('quick')
    const attempt = await before.assignment(name)
    await before.report({ accepted: [attempt] })
    const holder = new Client(rota.database.connection)
    await holder.connect()
    await failOver(async () => {
      await forgetClaim({ name })
      await sql`create table forgotten as select * from rota.execution`.execute(rota.db)
      await sql`delete from rota.execution`.execute(rota.db)
      await sql`update rota.schedule set marked_at = marked_at - interval '1 day',
        due_at = clock_timestamp() - interval '1 second'`.execute(rota.db)
      // Nobody else gets to decide it.
      await holder.query('begin')
      await holder.query('select from rota.schedule for update')
    })
    const session = await connectScripted(rota, ada!)
    let isAcknowledged = false
    const report = session
      .report({ finished: [finished(attempt)], offeredAgain: true })
      .then(() => {
        isAcknowledged = true
      })
    await until('a heartbeat was answered', () => session.answered() > 0n)
    expect(isAcknowledged).toBe(false)
    expect(await isRecovering()).toBe(true)
    await sql`insert into rota.execution select * from forgotten`.execute(rota.db)
    await holder.end()
    await report
    endsIn(await rota.ended(name), ExecutionState.SUCCEEDED, 1)
    await untilRecovered()
  })

  test('is acknowledged when it does not come back, and what is held of it is stopped', async () => {
    const [ada] = await start(['ada'])
    await failOver(async () => {})
    const held = { execution: `executions/${randomUUID()}`, epoch: 1n }
    const done = { execution: `executions/${randomUUID()}`, epoch: 2n }
    const session = await connectScripted(rota, ada!, { held: [{ ...held, finished: false }] })
    await session.report({ finished: [finished(done)], offeredAgain: true })
    await untilRecovered()
    expect(session.stops.map(({ execution }) => execution)).toEqual([held.execution])
  })
})

describe('until every worker has said all', () => {
  test('nothing is dispatched, not by another coordinator either', async () => {
    const [ada, bob] = await start(['ada', 'bob'])
    await connectScripted(rota, ada!)
    await connectScripted(rota, bob!)
    await failOver(async () => {})
    const second = await startTestCoordinator([], { database: rota.database })
    others.push(second)
    const sessions = [await connectScripted(rota, ada!), await connectScripted(second, bob!)]
    const { name } = await rota.trigger('quick')
    await sessions[0]!.report({ offeredAgain: true })
    await until('heartbeats were answered', () => sessions.every((each) => each.answered() > 1n))
    expect(await isRecovering()).toBe(true)
    expect((await rota.execution(name)).state).toBe(ExecutionState.QUEUED)
    await sessions[1]!.report({ offeredAgain: true })
    await until('it is assigned', () => sessions.some(({ assignments }) => assignments.length > 0))
    expect(await isRecovering()).toBe(false)
  })

  test('what it had is kept; what it then does not have is lost, what it never accepted is given out again', async () => {
    const [ada] = await start(['ada'])
    const before = await connectScripted(rota, ada!)
    const accepted = await rota.trigger('quick')
    const attempt = await before.assignment(accepted.name)
    await before.report({ accepted: [attempt] })
    const unaccepted = await rota.trigger('quick')
    await before.assignment(unaccepted.name)
    await failOver(async () => {})
    const session = await connectScripted(rota, ada!)
    await until('a heartbeat was answered', () => session.answered() > 0n)
    expect((await rota.execution(accepted.name)).attempts).toMatchObject([{ epoch: attempt.epoch }])
    await session.report({ offeredAgain: true })
    const again = await session.assignment(accepted.name)
    expect(again.attempt).toBe(2)
    expect((await session.assignment(unaccepted.name)).attempt).toBe(1)
  })

  test('or for L + G: who says nothing has nothing', async () => {
    const [ada] = await start(['ada'], ['--lease', '1s'])
    const before = await connectScripted(rota, ada!)
    const { name } = await rota.trigger('quick')
    const attempt = await before.assignment(name)
    await before.report({ accepted: [attempt] })
    await failOver(async () => {})
    // Heartbeats, and not a word of what it has.
    const session = await connectScripted(rota, ada!)
    const again = await session.assignment(name)
    expect(again.attempt).toBe(2)
  })
})

/** A standby takes over from the primary: what agents run goes on, what they have finished is not run again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Execution, ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { type ReplicatedPostgres, startReplicatedPostgres } from '../support/replicated-postgres.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { openLogTailer } from '../support/tail-logs.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

const cleanups: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Site {
  readonly pair: ReplicatedPostgres
  readonly rota: TestCoordinator
  /** Lets go on what waits for this flag. */
  readonly raise: (flag: string) => void
  /** The executions of a job that were started, one entry for each start. */
  readonly starts: (job: string) => string[]
  readonly ends: (job: string) => string[]
  /** A job that counts its starts and ends, and in between waits for a flag. */
  readonly create: (job: string, flag?: string, rest?: object) => Promise<unknown>
}

/** Two servers, a coordinator on both, and one agent with four slots. */
async function startSite(isSynchronous: boolean): Promise<Site> {
  const pair = await startReplicatedPostgres({ isSynchronous })
  cleanups.push(pair.remove)
  const rota = await startTestCoordinator([], { database: pair.database })
  cleanups.push(rota.remove)
  await rota.addAgent('worker-1')
  const file = (name: string) => join(rota.dataDir, name)
  const lines = (name: string) => {
    try {
      return readFileSync(file(name), 'utf8').trim().split('\n')
    } catch {
      return []
    }
  }
  return {
    ...{ pair, rota },
    raise: (flag) => writeFileSync(file(flag), ''),
    starts: (job) => lines(`${job}.starts`),
    ends: (job) => lines(`${job}.ends`),
    create(job, flag, rest = {}) {
      const wait = flag === undefined ? 'true' : `until [ -e ${file(flag)} ]; do sleep 0.05; done`
      const note = (name: string) =>
        `echo ${name}; echo $ROTA_EXECUTION >> ${file(`${job}.${name}`)}`
      return rota.createJob(job, shell(`${note('starts')}; ${wait}; ${note('ends')}`, rest))
    },
  }
}

async function untilState(rota: TestCoordinator, name: string, state: ExecutionState) {
  await until(`${name} is in state ${state}`, async () => {
    return (await rota.execution(name)).state === state
  })
}

/** The primary is gone for good, the standby is promoted, and the API answers again. */
async function failOver({ pair, rota }: Site): Promise<void> {
  await pair.primary.kill()
  await pair.standby.promote()
  await until('the API answers', () =>
    rota.jobs.listJobs({}).catch((error: unknown) => {
      if (error instanceof RotaError && error.reason === 'DATABASE_UNAVAILABLE') return undefined
      throw error
    }),
  )
}

/** What it wrote to stdout, once all of it is there. */
async function outputOf(rota: TestCoordinator, name: string): Promise<string> {
  const tailer = openLogTailer(rota)
  try {
    const chunks = await tailer.tail(name, { follow: true }).done
    return Buffer.concat(chunks.map(({ data }) => data)).toString()
  } finally {
    tailer.close()
  }
}

function expectOneGoodAttempt(execution: Execution): void {
  expect(execution.state).toBe(ExecutionState.SUCCEEDED)
  expect(execution.attempts).toHaveLength(1)
}

test('to a synchronous standby: nothing acknowledged is lost, nothing runs twice', async () => {
  const site = await startSite(true)
  const { rota, raise, create, starts } = site
  await create('long', 'go-on')
  await create('short')
  const running = await rota.trigger('long')
  await untilState(rota, running.name, ExecutionState.RUNNING)
  const done = await rota.ended((await rota.trigger('short')).name)
  const acknowledged = await rota.trigger('short')
  await failOver(site)
  expect(await rota.ended(done.name)).toEqual(done)
  expectOneGoodAttempt(await rota.ended(acknowledged.name))
  raise('go-on')
  expectOneGoodAttempt(await rota.ended(running.name))
  expectOneGoodAttempt(await rota.ended((await rota.trigger('short')).name))
  expect(starts('long')).toHaveLength(1)
  expect(starts('short')).toHaveLength(3)
})

describe('to an asynchronous standby that lacks the last commits', () => {
  test('running work goes on where it is, results are offered again, and nothing of it runs twice', async () => {
    const site = await startSite(false)
    const { pair, rota, raise, create, starts } = site
    await create('through', 'end')
    await create('blocker', 'first')
    await create('held', 'end', { priority: 60 })
    await create('short')
    const through = await rota.trigger('through')
    const blockers = [
      await rota.trigger('blocker'),
      await rota.trigger('blocker'),
      await rota.trigger('blocker'),
    ]
    for (const { name } of [through, ...blockers])
      await untilState(rota, name, ExecutionState.RUNNING)
    const held = await rota.trigger('held')
    const short = await rota.trigger('short')
    await pair.caughtUp()

    // From here on nothing reaches the standby.
    await pair.stallReplication()
    raise('first')
    for (const { name } of [...blockers, short]) await rota.ended(name)
    await untilState(rota, held.name, ExecutionState.RUNNING)
    const { epoch } = (await rota.execution(held.name)).attempts[0]!
    await failOver(site)

    for (const { name } of [...blockers, short]) expectOneGoodAttempt(await rota.ended(name))
    raise('end')
    const ended = await rota.ended(held.name)
    expectOneGoodAttempt(ended)
    expect(ended.attempts[0]?.epoch).toBe(epoch)
    expect(await outputOf(rota, held.name)).toBe('starts\nends\n')
    expectOneGoodAttempt(await rota.ended(through.name))
    expect(await outputOf(rota, through.name)).toBe('starts\nends\n')
    const later = await rota.ended((await rota.trigger('short')).name)
    expectOneGoodAttempt(later)
    expect(later.attempts[0]?.epoch).toBeGreaterThan(1_000_000n)
    expect(starts('held')).toHaveLength(1)
    expect(starts('through')).toHaveLength(1)
    expect(starts('blocker')).toHaveLength(3)
    expect(starts('short')).toHaveLength(2)
  })

  test('due times that were lost are decided again, for the same executions, which do not run again', async () => {
    const site = await startSite(false)
    const { pair, rota, create, starts } = site
    await create('tick', undefined, schedule({ every: seconds('1s') }))
    await until('it ticks', () => starts('tick').length > 0)
    await pair.caughtUp()
    await pair.stallReplication()
    const before = starts('tick').length
    await until('it has ticked three times more', () => starts('tick').length >= before + 3)
    await failOver(site)
    const after = starts('tick').length
    await until('it ticks again', () => starts('tick').length >= after + 2)
    expect(new Set(starts('tick')).size).toBe(starts('tick').length)
    const { executions } = await rota.executions.listExecutions({ filter: 'state = succeeded' })
    const known = new Set(executions.map(({ name }) => name.replace('executions/', '')))
    for (const id of starts('tick').slice(0, after)) expect(known).toContain(id)
    const gaps = await pair.standby.query(
      `select from (select scheduled_for - lag(scheduled_for) over (order by scheduled_for) as gap
        from rota.occurrence) g where gap > interval '1 second'`,
    )
    expect(gaps).toEqual([])
  })

  test('what was triggered by hand and lost is stopped: nobody would know of it', async () => {
    const site = await startSite(false)
    const { pair, rota, create, starts, ends, raise } = site
    await create('ghost', 'never')
    await create('short')
    await pair.caughtUp()
    await pair.stallReplication()
    const { name } = await rota.trigger('ghost')
    await untilState(rota, name, ExecutionState.RUNNING)
    await failOver(site)
    await expect(rota.execution(name)).rejects.toMatchObject({ reason: 'EXECUTION_NOT_FOUND' })
    expectOneGoodAttempt(await rota.ended((await rota.trigger('short')).name))
    raise('never')
    expectOneGoodAttempt(await rota.ended((await rota.trigger('ghost')).name))
    expect(starts('ghost')).toHaveLength(2)
    expect(ends('ghost')).toHaveLength(1)
  })
})

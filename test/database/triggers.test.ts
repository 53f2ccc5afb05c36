/** Triggers that come together, and the direct path from a trigger to a worker. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from 'vitest'
import { createEnqueue, type Enqueued } from '../../coordinator/enqueue/enqueue.ts'
import { createStoreNew } from '../../coordinator/enqueue/store-new.ts'
import {
  createTriggerJob,
  type Trigger,
  type TriggerJob,
} from '../../coordinator/enqueue/trigger.ts'
import type { ExecutionId, SessionId, WorkerId } from '../../coordinator/job/execution.ts'
import type { WorkerOffer } from '../../coordinator/job/offer.ts'
import type { Fleet } from '../../coordinator/match/fleet.ts'
import { createMatch, type Match } from '../../coordinator/match/match-loop.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import type { ClientHooks } from '../../coordinator/store/postgres-client.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/until.ts'

const SLOTS = 3
const sessionId = randomUUID() as SessionId

let database: TestDatabase
let db: Database
let statements = 0
/** At the offers of the fleet. */
let looks = 0
let workerId: WorkerId

beforeAll(async () => {
  database = await createTestDatabase()
  const hooks: ClientHooks = {
    onTrouble: () => {},
    onStatement() {
      statements += 1
      return () => {}
    },
  }
  const connection = { ...database.connection, hooks }
  db = openDatabase({ connection, logger: pino({ level: 'silent' }) })
  const workers = await sql<{ id: WorkerId }>`insert into rota.worker (uid, name)
    values (gen_random_uuid(), 'worker-1') returning id`.execute(db)
  workerId = workers.rows[0]!.id
  await restoreWorker()
  await sql`with job as (
      insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'job', 'active', 1) returning id
    ), version as (
      insert into rota.job_version (job_id, version, spec, created_by) select id, 1, '{}', '' from job
    ), activity as (insert into rota.job_activity (job_id) select id from job)
    select id from job`.execute(db)
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

async function restoreWorker(): Promise<void> {
  await sql`update rota.worker set state = 'active'`.execute(db)
  await sql`insert into rota.session (id, worker_id, coordinator_id)
    values (${sessionId}, ${workerId}, gen_random_uuid()) on conflict do nothing`.execute(db)
}

let reserved: Set<ExecutionId>
let dispatched: ExecutionId[]
let hints: ReturnType<typeof createHints>
let match: Match
let trigger: TriggerJob

beforeEach(async () => {
  await sql`truncate rota.execution`.execute(db)
  reserved = new Set()
  dispatched = []
  hints = createHints()
  const deps = {
    db,
    clock,
    random,
    hints,
    specs: createJobSpecs(),
    logger: pino({ level: 'silent' }),
  }
  match = createMatch(deps, fleet)
  const enqueue = createEnqueue(deps)
  trigger = createTriggerJob(
    deps,
    createStoreNew(deps, { enqueue, assign: { begin: match.beginPairs } }),
  )
})

afterEach(() => match.loop.stop())

/** One worker that never ends anything. */
const fleet: Fleet = {
  offers() {
    looks += 1
    return [offer(SLOTS - reserved.size)]
  },
  reserve({ executionId }) {
    reserved.add(executionId)
    return true
  },
  unreserve: ({ executionId }) => void reserved.delete(executionId),
  async dispatch(claimed) {
    dispatched.push(...claimed.map(({ id }) => id))
  },
}

function offer(freeSlots: number): WorkerOffer {
  const nothing = { capabilities: new Set<string>(), handlers: new Set<string>(), labels: {} }
  const health = { health: 'healthy', consecutiveFailures: 0, loadRatio: 0 } as const
  return { workerId, sessionId, name: 'worker-1', slots: SLOTS, freeSlots, ...nothing, ...health }
}

async function ask(rest: Partial<Trigger> = {}): Promise<ExecutionId> {
  const common = { parameters: {}, worker: '', scheduleTime: undefined, actor: 'token:test' }
  const asked = { job: 'job', ...common, request: undefined, validateOnly: false, ...rest }
  return (await trigger(asked))?.id as ExecutionId
}

async function statesOf(ids: readonly ExecutionId[]): Promise<string[]> {
  const { rows } = await sql<{ id: ExecutionId; state: string }>`
    select id, state from rota.execution where id = any (${ids}::uuid[])`.execute(db)
  return ids.map((id) => rows.find((row) => row.id === id)?.state ?? 'none')
}

/** A round of the loop finds nothing to do; then the loop stands still. */
async function idle(): Promise<void> {
  const before = statements
  await match.loop.start()
  await until('it has looked', () => statements > before)
  await match.loop.stop()
}

test('many together cost few statements, however many names are wrong', async () => {
  const many = Array.from({ length: 400 }, (_, index) => index)
  const before = statements
  const asked = many.flatMap((index) => [
    ask(),
    ask({ job: `job-${index}` }),
    ask({ worker: `worker-${index + 2}` }),
  ])
  const answers = await Promise.allSettled(asked)
  const reasons = answers.map((answer) =>
    answer.status === 'rejected' ? Reflect.get(answer.reason as object, 'reason') : 'stored',
  )
  expect(Map.groupBy(reasons, (reason) => reason)).toEqual(
    new Map([
      ['stored', many.map(() => 'stored')],
      ['JOB_NOT_FOUND', many.map(() => 'JOB_NOT_FOUND')],
      ['WORKER_NOT_FOUND', many.map(() => 'WORKER_NOT_FOUND')],
    ]),
  )
  expect(statements - before).toBeLessThan(60)
  const near = answers.flatMap((answer) =>
    answer.status === 'rejected' ? (Reflect.get(answer.reason as object, 'hint') as string) : [],
  )
  expect(near).toContain('Did you mean job?')
  expect(near).toContain('Did you mean worker-1?')
})

describe('while nothing is left in the queue', () => {
  test('a trigger is assigned as it is stored, as far as there are slots', async () => {
    await idle()
    const ids = await Promise.all(Array.from({ length: SLOTS + 2 }, () => ask()))
    const states = await statesOf(ids)
    expect(states.filter((state) => state === 'assigned')).toHaveLength(SLOTS)
    expect(states.filter((state) => state === 'queued')).toHaveLength(2)
    expect(new Set(dispatched)).toEqual(
      new Set(ids.filter((_, index) => states[index] === 'assigned')),
    )
  })

  test('it is one statement more than the question for its job', async () => {
    await idle()
    await ask()
    const before = statements
    await ask()
    expect(statements - before).toBe(2)
  })

  test.each([
    ['has ended', sql`delete from rota.session`],
    ['is of a worker that takes no work', sql`update rota.worker set state = 'cordoned'`],
  ])('a session that %s gets nothing', async (_, change) => {
    await idle()
    await change.execute(db)
    onTestFinished(restoreWorker)
    const id = await ask()
    expect(await statesOf([id])).toEqual(['queued'])
    expect(dispatched).toEqual([])
    expect(reserved.size).toBe(0)
  })

  test('what is asked for later waits', async () => {
    await idle()
    const id = await ask({ scheduleTime: new Date(Date.now() + 3_600_000) })
    expect(await statesOf([id])).toEqual(['waiting'])
    expect(dispatched).toEqual([])
  })
})

test('before the queue has been looked at, and after somebody has queued something, nothing is overtaken', async () => {
  const first = await ask()
  expect(await statesOf([first])).toEqual(['queued'])
  await sql`delete from rota.execution`.execute(db)
  await idle()
  hints.give('queue')
  const second = await ask()
  expect(await statesOf([second])).toEqual(['queued'])
  expect(reserved.size).toBe(0)
})

describe('slots that become free', () => {
  test('are for what is new while the queue is empty', async () => {
    await idle()
    hints.give('room')
    expect(await statesOf([await ask()])).toEqual(['assigned'])
  })

  test('are for what another coordinator may have queued once a look has found none free', async () => {
    await idle()
    for (let slot = 0; slot < SLOTS; slot++) reserved.add(randomUUID() as ExecutionId)
    const before = looks
    await match.loop.start()
    await until('it has looked', () => looks > before)
    await match.loop.stop()
    reserved.clear()
    expect(match.freeSlots()).toBe(0)
    hints.give('room')
    expect(await statesOf([await ask()])).toEqual(['queued'])
  })
})

describe('a pair whose transaction', () => {
  const needs = { capabilities: [], selector: '', worker: '', slots: 1 }
  const enqueued: Enqueued = { id: randomUUID() as ExecutionId, classId: 1, needs, priority: 0 }

  /** Finds a worker for an execution that is never inserted. */
  async function pairInVain() {
    await idle()
    const pairs = match.beginPairs()
    const owners = pairs.pair([enqueued])
    expect(owners.get(enqueued.id)).toMatchObject({ workerId, sessionId })
    expect([...reserved]).toEqual([enqueued.id])
    return pairs
  }

  test('was undone gives its slots back at once', async () => {
    const pairs = await pairInVain()
    await pairs.conclude('undone', [])
    expect(reserved.size).toBe(0)
    expect(dispatched).toEqual([])
  })

  test('may have been committed keeps them until the database has told', async () => {
    const pairs = await pairInVain()
    await pairs.conclude('unknown', [])
    expect(reserved.size).toBe(1)
    await match.loop.start()
    await until('its slots are free', () => reserved.size === 0)
    expect(dispatched).toEqual([])
  })
})

/**
 * Who may start while others of the same job live, decided by several at once. Above 400 lines because every policy is told
 * with the same coordinators, ledger and states, which stand here once.
 */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createEnqueue, type EnqueueOutcome } from '../../coordinator/enqueue/enqueue.ts'
import { releaseDue } from '../../coordinator/enqueue/enqueue-queries.ts'
import { createOverlap, type Overlap } from '../../coordinator/enqueue/overlap-loop.ts'
import { createReleaseLoop } from '../../coordinator/enqueue/release-loop.ts'
import { createStoreNew } from '../../coordinator/enqueue/store-new.ts'
import { createTriggerJob, type Trigger } from '../../coordinator/enqueue/trigger.ts'
import type { ExecutionId, JobId } from '../../coordinator/job/execution.ts'
import type { NewExecution } from '../../coordinator/job/new-execution.ts'
import { insertOccurrences } from '../../coordinator/schedule/schedule-queries.ts'
import { createSettle } from '../../coordinator/settle/settle.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { seconds } from '../support/spec.ts'
import { until } from '../support/until.ts'

let database: TestDatabase
let db: Database
let statements = 0

beforeAll(async () => {
  database = await createTestDatabase()
  const hooks = {
    onTrouble: () => {},
    onStatement() {
      statements += 1
      return () => {}
    },
  }
  const connection = { ...database.connection, hooks }
  db = openDatabase({ connection, logger: pino({ level: 'silent' }), poolSize: 10 })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

beforeEach(async () => {
  await sql`truncate rota.execution, rota.execution_history, rota.occurrence`.execute(db)
})

/** What one coordinator has. */
function coordinator() {
  const deps = {
    db,
    clock,
    random,
    hints: createHints(),
    specs: createJobSpecs(),
    logger: pino({ level: process.env['ROTA_TEST_LOG'] ?? 'silent' }),
  }
  const settle = createSettle(deps)
  const cancelled: { id: ExecutionId; reason: string }[] = []
  const overlap = createOverlap(deps, {
    endExecutions: settle.endExecutions,
    async cancel(id, reason) {
      cancelled.push({ id, reason })
    },
  })
  deps.hints.on('overlap', () => overlap.loop.wake())
  return { deps, settle, overlap, cancelled, enqueue: createEnqueue(deps) }
}

type Coordinator = ReturnType<typeof coordinator>

async function createJob(concurrency: object, rest: object = {}): Promise<JobId> {
  const spec = JSON.stringify({ task: { shell: { command: 'true' } }, concurrency, ...rest })
  const { rows } = await sql<{ id: JobId }>`with job as (
      insert into rota.job (uid, name, state, version)
      values (gen_random_uuid(), ${`job-${randomUUID()}`}, 'active', 1) returning id
    ), version as (
      insert into rota.job_version (job_id, version, spec, created_by) select id, 1, ${spec}::jsonb, '' from job
    ), activity as (insert into rota.job_activity (job_id) select id from job)
    select id from job`.execute(db)
  return rows[0]!.id
}

const START = Date.parse('2026-11-20T10:00:00Z')

/** The due time so many seconds after START. */
function due(jobId: JobId, seconds: number): NewExecution {
  return {
    ...manual(jobId),
    trigger: 'schedule',
    scheduledFor: new Date(START + seconds * 1_000),
  }
}

function manual(jobId: JobId): NewExecution {
  return {
    id: randomUUID() as ExecutionId,
    jobId,
    jobVersion: 1,
    trigger: 'manual',
    scheduledFor: undefined,
    availableAt: undefined,
    waitsForDependencies: false,
    parameters: {},
    pinnedWorker: undefined,
    requestedBy: 'token:test',
  }
}

/** As the schedule step does: ledger and executions in one transaction. */
async function decide(by: Coordinator, requests: NewExecution[]): Promise<EnqueueOutcome> {
  return db.transaction().execute(async (tx) => {
    await insertOccurrences(
      tx,
      requests.flatMap(({ id, jobId, scheduledFor }) =>
        scheduledFor === undefined
          ? []
          : [
              {
                ...{ jobId, scheduledFor, decision: 'enqueued', reason: '' },
                ...{ executionId: id, freezeId: null },
              } as const,
            ],
      ),
    )
    return by.enqueue(tx, requests)
  })
}

/** Of each execution of a job, by when it is due, its state and reason. */
async function states(jobId: JobId): Promise<string[]> {
  const { rows } = await sql<{ state: string; reason: string }>`
    select state, reason_code as reason from rota.execution_any where job_id = ${jobId}
    order by coalesce(scheduled_for, created_at), id`.execute(db)
  return rows.map(({ state, reason }) => (reason === '' ? state : `${state} ${reason}`))
}

async function ledger(jobId: JobId): Promise<string[]> {
  const { rows } = await sql<{ decision: string; reason: string }>`
    select decision, reason from rota.occurrence where job_id = ${jobId} order by scheduled_for`.execute(
    db,
  )
  return rows.map(({ decision, reason }) => `${decision} ${reason}`.trim())
}

async function end(by: Coordinator, id: ExecutionId): Promise<void> {
  const cancelled = { id, state: 'cancelled', reasonCode: 'CANCELLED', reasonMessage: '' } as const
  await db.transaction().execute(async (tx) => by.settle.endExecutions(tx, [cancelled]))
}

/** One look of the loop, which stands still otherwise: stopping it waits for the look. */
async function look({ loop }: Overlap): Promise<void> {
  const before = statements
  await loop.start()
  await until('it looks', () => statements > before)
  await loop.stop()
}

describe('SKIP', () => {
  test('leaves out a due time while one lives, and the ledger names that one', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_SKIP' })
    const [first, second, third] = [due(jobId, 0), due(jobId, 1), due(jobId, 2)]
    await decide(by, [first])
    await decide(by, [second])
    await end(by, first.id)
    await decide(by, [third])
    expect(await ledger(jobId)).toEqual([
      'enqueued',
      `skipped_overlap overlap skip: execution ${first.id} has not ended`,
      'enqueued',
    ])
    expect(await states(jobId)).toEqual(['cancelled CANCELLED', 'queued'])
  })

  test('lets in as many as the job allows', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_SKIP', max: 3 })
    const outcome = await decide(
      by,
      Array.from({ length: 5 }, (_, n) => due(jobId, n)),
    )
    expect(outcome.leftOut).toHaveLength(2)
    expect(await states(jobId)).toEqual(['queued', 'queued', 'queued'])
  })

  test.each([['backoff'], ['waiting']])(
    'counts one that is in %s, before its next attempt or its dependencies',
    async (state) => {
      const by = coordinator()
      const jobId = await createJob({ overlap: 'OVERLAP_SKIP' })
      const first = due(jobId, 0)
      await decide(by, [first])
      const reason = state === 'waiting' ? 'DEPENDENCY' : 'EXIT_CODE'
      await sql`update rota.execution set state = ${state}, reason_code = ${reason} where id = ${first.id}`.execute(
        db,
      )
      expect((await decide(by, [due(jobId, 1)])).leftOut).toMatchObject([{ behind: first.id }])
    },
  )

  test('counts one that was enqueued before the job had the policy', async () => {
    const by = coordinator()
    const jobId = await createJob({})
    const first = manual(jobId)
    await decide(by, [first])
    await sql`insert into rota.job_version (job_id, version, spec, created_by)
      values (${jobId}, 2, '{"concurrency": {"overlap": "OVERLAP_SKIP"}}', '')`.execute(db)
    const next = { ...due(jobId, 1), jobVersion: 2 }
    expect((await decide(by, [next])).leftOut).toMatchObject([{ behind: first.id }])
  })

  test('decides about one that was planned when its time comes', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_SKIP' })
    const planned = { ...manual(jobId), availableAt: new Date(Date.now() + 3_600_000) }
    const running = manual(jobId)
    await decide(by, [planned])
    expect((await decide(by, [running])).queuedCount).toBe(1)
    await sql`update rota.execution set available_at = clock_timestamp() where id = ${planned.id}`.execute(
      db,
    )
    expect(await releaseDue(db, 10)).toEqual(['waiting'])
    await look(by.overlap)
    expect((await states(jobId)).sort()).toEqual(['queued', 'skipped OVERLAP_SKIPPED'])
  })
})

describe('QUEUE_ONE', () => {
  test('lets the newest due time wait, and the ledger says what became of those before', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ONE' })
    const all = [due(jobId, 0), due(jobId, 1), due(jobId, 2)]
    for (const each of all) await decide(by, [each])
    await look(by.overlap)
    const [, , last] = all
    expect(await states(jobId)).toEqual(['queued', 'skipped OVERLAP_SKIPPED', 'waiting OVERLAP'])
    expect(await ledger(jobId)).toEqual([
      'enqueued',
      `coalesced overlap: the newer due time 2026-11-20T10:00:02.000Z waits in its place, as execution ${last!.id}`,
      'enqueued',
    ])
  })

  test('stores only the newest of many that are decided together', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ONE' })
    await decide(
      by,
      Array.from({ length: 5 }, (_, n) => due(jobId, n)),
    )
    expect(await states(jobId)).toEqual(['queued', 'waiting OVERLAP'])
    expect((await ledger(jobId)).map((row) => row.split(' ')[0])).toEqual([
      'enqueued',
      'coalesced',
      'coalesced',
      'coalesced',
      'enqueued',
    ])
  })

  test('never drops what a person asked for', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ONE' })
    const asked = manual(jobId)
    await decide(by, [due(jobId, 0)])
    await decide(by, [asked])
    await decide(by, [due(jobId, 1)])
    expect((await ledger(jobId))[1]).toBe(
      `skipped_overlap overlap queue one: execution ${asked.id} waits already`,
    )
  })
})

describe('QUEUE_ALL', () => {
  test('runs one after the other in the order of due times', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ALL' })
    const all = [due(jobId, 0), due(jobId, 3), due(jobId, 1)]
    for (const each of all) await decide(by, [each])
    const order: (ExecutionId | undefined)[] = []
    for (let n = 0; n < 3; n++) {
      await look(by.overlap)
      const { rows } = await sql<{ id: ExecutionId }>`
        select id from rota.execution where job_id = ${jobId} and state = 'queued'`.execute(db)
      expect(rows).toHaveLength(1)
      order.push(rows[0]?.id)
      await end(by, rows[0]!.id)
    }
    expect(order).toEqual([all[0]!.id, all[2]!.id, all[1]!.id])
  })

  test('says of the first what it waits for, and lets all go when the policy is gone', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ALL' })
    const all = [due(jobId, 0), due(jobId, 1), due(jobId, 2)]
    await decide(by, all)
    await look(by.overlap)
    const { rows } = await sql<{
      message: string
    }>`select reason_message as message from rota.execution
      where id = ${all[1]!.id}`.execute(db)
    expect(rows[0]?.message).toBe(`waits until execution ${all[0]!.id} has ended`)
    await sql`insert into rota.job_version (job_id, version, spec, created_by) values (${jobId}, 2, '{}', '')`.execute(
      db,
    )
    await sql`update rota.job set version = 2 where id = ${jobId}`.execute(db)
    await look(by.overlap)
    expect(await states(jobId)).toEqual(['queued', 'queued', 'queued'])
  })

  test('lets no more than a thousand wait', async () => {
    const by = coordinator()
    const jobId = await createJob({ overlap: 'OVERLAP_QUEUE_ALL' })
    const all = Array.from({ length: 1_003 }, (_, n) => due(jobId, n))
    const { leftOut } = await decide(by, all)
    expect(leftOut.map(({ reason }) => reason)).toEqual([
      `overlap queue all: execution ${all[1]!.id} waits already, as do as many as may`,
      `overlap queue all: execution ${all[1]!.id} waits already, as do as many as may`,
    ])
  })
})

test('one that waits too long after its due time fails, and says what it waited for', async () => {
  const by = coordinator()
  const jobId = await createJob(
    { overlap: 'OVERLAP_QUEUE_ALL' },
    { startDeadline: seconds('3600s') },
  )
  const now = Math.floor(Date.now() / 1_000) * 1_000
  const at = (minutes: number) => ({
    ...due(jobId, 0),
    scheduledFor: new Date(now - minutes * 60_000),
  })
  const [late, first, second] = [at(61), at(59), at(30)]
  await decide(by, [first])
  await decide(by, [late, second])
  await look(by.overlap)
  const release = createReleaseLoop(by.deps, by.settle.endExecutions)
  await release.start()
  const ended = await until('it has failed', async () => {
    const { rows } = await sql<{ id: ExecutionId; message: string }>`
      select id, reason_message as message from rota.execution_history where reason_code = 'DEADLINE'`.execute(
      db,
    )
    return rows.length > 0 && rows
  })
  await release.stop()
  const deadline = new Date(now - 60_000).toISOString()
  expect(ended).toEqual([
    {
      id: late.id,
      message: `should have started by ${deadline}: it waited for others of its job (waits until execution ${first.id} has ended)`,
    },
  ])
  expect(await states(jobId)).toEqual(['failed DEADLINE', 'queued', 'waiting OVERLAP'])
})

test('CANCEL_RUNNING asks what runs to end, and the newest takes its place', async () => {
  const by = coordinator()
  const jobId = await createJob({ overlap: 'OVERLAP_CANCEL_RUNNING' })
  const [first, second, third] = [due(jobId, 0), due(jobId, 1), manual(jobId)]
  for (const each of [first, second, third]) await decide(by, [each])
  await look(by.overlap)
  expect(by.cancelled.at(-1)).toEqual({
    id: first.id,
    reason: expect.stringMatching(new RegExp(`^execution ${third.id} of job-.* takes its place$`)),
  })
  expect((await ledger(jobId))[1]).toBe(
    `coalesced overlap: a newer one waits in its place, as execution ${third.id}`,
  )
  await end(by, first.id)
  await look(by.overlap)
  expect((await states(jobId)).sort()).toEqual([
    'cancelled CANCELLED',
    'queued',
    'skipped OVERLAP_SKIPPED',
  ])
})

describe('a trigger by hand', () => {
  async function ask(by: Coordinator, jobName: string, rest: Partial<Trigger> = {}) {
    const nobody = { pair: () => new Map(), conclude: async () => {} }
    const steps = { enqueue: by.enqueue, assign: { begin: () => nobody } }
    const trigger = createTriggerJob(by.deps, createStoreNew(by.deps, steps))
    const common = { parameters: {}, worker: '', scheduleTime: undefined, actor: 'token:test' }
    const asked = { job: jobName, ...common, request: undefined, validateOnly: false, ...rest }
    return (await trigger(asked))?.id as ExecutionId
  }

  async function nameOf(jobId: JobId): Promise<string> {
    const { rows } = await sql<{
      name: string
    }>`select name from rota.job where id = ${jobId}`.execute(db)
    return rows[0]!.name
  }

  test('is refused with the name of what lives; sent again after its end it runs', async () => {
    const by = coordinator()
    const name = await nameOf(await createJob({ overlap: 'OVERLAP_SKIP' }))
    const first = await ask(by, name)
    const fingerprint = Buffer.alloc(32)
    const request = { actor: 'token:test', method: 'TriggerJob', requestId: name, fingerprint }
    await expect(ask(by, name, { request })).rejects.toMatchObject({
      reason: 'OVERLAP_REFUSED',
      metadata: { execution: first },
      message: `job ${name} is not run now: overlap skip: execution ${first} has not ended`,
    })
    await end(by, first)
    const second = await ask(by, name, { request })
    expect(await ask(by, name, { request })).toBe(second)
  })

  test.each([
    ['SKIP', 1],
    ['QUEUE_ONE', 2],
  ])('of %s is let in once, however many coordinators are asked at once', async (kind, stored) => {
    for (let round = 0; round < 10; round++) {
      const jobId = await createJob({ overlap: `OVERLAP_${kind}` })
      const name = await nameOf(jobId)
      const all = Array.from({ length: 4 }, coordinator)
      const answers = await Promise.allSettled(
        all.flatMap((by) => [ask(by, name), ask(by, name), decide(by, [due(jobId, round)])]),
      )
      const live = (await states(jobId)).filter((state) => !state.includes('OVERLAP'))
      expect(live).toEqual(['queued'])
      const waiting = (await states(jobId)).filter((state) => state === 'waiting OVERLAP')
      expect(waiting).toHaveLength(stored - 1)
      const refused = answers.filter(({ status }) => status === 'rejected')
      expect(refused.length).toBeGreaterThanOrEqual(8 - stored)
    }
  })
})

test('loops of several coordinators let in one after the other, each once', async () => {
  const all = Array.from({ length: 4 }, coordinator)
  const jobIds = await Promise.all([1, 1, 2].map((max) => createJob({ max })))
  const requests = jobIds.flatMap((jobId) => Array.from({ length: 8 }, (_, n) => due(jobId, n)))
  await decide(all[0]!, requests)
  await Promise.all(all.map(({ overlap }) => overlap.loop.start()))
  const endOne = async () => {
    const { rows } = await sql<{ id: ExecutionId; job_id: JobId }>`
      select id, job_id from rota.execution where state = 'queued'`.execute(db)
    for (const [index, jobId] of jobIds.entries()) {
      const live = rows.filter(({ job_id }) => job_id === jobId)
      expect(live.length).toBeLessThanOrEqual(index === 2 ? 2 : 1)
    }
    for (const { id } of rows.slice(0, 2)) {
      await end(all[0]!, id)
      for (const { overlap } of all) overlap.noteEnded([{ executionId: id }])
    }
    const { rows: left } = await sql`select from rota.execution`.execute(db)
    return left.length === 0
  }
  await until('all have ended', endOne)
  await Promise.all(all.map(({ overlap }) => overlap.loop.stop()))
  const { rows } = await sql<{
    count: number
  }>`select count(*)::int from rota.execution_history`.execute(db)
  expect(rows[0]?.count).toBe(24)
})

test('a job without a limit costs no statement more', async () => {
  const by = coordinator()
  const [plain, limited] = [await createJob({}), await createJob({ max: 5 })]
  await decide(by, [due(plain, 0), due(limited, 0)])
  const countOf = async (requests: NewExecution[]) => {
    const before = statements
    await decide(by, requests)
    return statements - before
  }
  // BEGIN with insertOccurrences, insertExecutions, COMMIT.
  expect(await countOf([due(plain, 1)])).toBe(3)
  // The gate, what lives, what waits.
  expect(await countOf([due(plain, 2), due(limited, 1)])).toBe(6)
})

/** A success is settled by one statement, all else by way of a decision: both store an attempt in the same way. */
import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionReport } from '../../coordinator/job/attempt-report.ts'
import type {
  Epoch,
  ExecutionId,
  JobId,
  SessionId,
  WorkerId,
} from '../../coordinator/job/execution.ts'
import { createSettle } from '../../coordinator/settle/settle.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

const ASSIGNED = new Date('2026-03-01T10:00:00Z')
const sessionId = randomUUID() as SessionId
const logger = pino({ level: 'silent' })

let database: TestDatabase
let db: Database
let workerId: WorkerId
let jobId: JobId

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger })
  const workers = await sql<{ id: WorkerId }>`insert into rota.worker (uid, name)
    values (gen_random_uuid(), 'worker-1') returning id`.execute(db)
  workerId = workers.rows[0]!.id
  const jobs = await sql<{ id: JobId }>`with job as (
      insert into rota.job (uid, name, state, version) values (gen_random_uuid(), 'job', 'active', 1) returning id
    ), version as (
      insert into rota.job_version (job_id, version, spec, created_by) select id, 1, '{}', '' from job
    ), activity as (insert into rota.job_activity (job_id) select id from job)
    select id from job`.execute(db)
  jobId = jobs.rows[0]!.id
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

/** Seconds after the assignment. */
const at = (seconds: number) => new Date(ASSIGNED.getTime() + seconds * 1_000)

async function run(epoch: number): Promise<ExecutionId> {
  const id = randomUUID() as ExecutionId
  await sql`insert into rota.execution (id, job_id, job_version, state, trigger, priority, class_id, guarantee,
      available_at, requested_by, max_attempts, attempt, epoch, worker_id, session_id, assigned_at, started_at)
    values (${id}, ${jobId}, 1, 'running', 'manual', 0, 1, 'at_least_once', ${ASSIGNED}, '', 1, 1, ${epoch},
      ${workerId}, ${sessionId}, ${ASSIGNED}, ${at(1)})`.execute(db)
  return id
}

function report(rest: Partial<SessionReport> & Pick<SessionReport, 'executionId'>): SessionReport {
  return {
    ...{
      sessionId,
      workerId,
      epoch: 5 as Epoch,
      outcome: 'succeeded',
      reasonCode: '',
      message: 'said',
    },
    ...{ exitCode: 0, signal: '', outputs: { answer: 42 }, startedAt: at(10), endedAt: at(20) },
    ...{ cpuMs: 7, peakMemoryBytes: 8, logBytes: 9, logBytesDropped: 1 },
    ...rest,
  }
}

function settle(reports: readonly SessionReport[]) {
  const specs = createJobSpecs()
  const settled = createSettle({
    db,
    logger,
    random,
    clock: createFakeClock(),
    hints: createHints(),
    specs,
  })
  return db.transaction().execute(async (tx) => settled.settleReported(tx, reports))
}

async function readAttempt(id: ExecutionId) {
  const { rows } = await sql<{
    readonly started_at: Date | null
    readonly ended_at: Date
    readonly settled_at: Date
    readonly whole: Record<string, unknown>
  }>`select a.started_at, a.ended_at, h.settled_at, to_jsonb(a)
      - array['execution_id', 'started_at', 'ended_at', 'outcome', 'reason_code'] || jsonb_build_object(
        'history', to_jsonb(h) - array['id', 'created_at', 'started_at', 'settled_at', 'state', 'reason_code',
          'reason_message']) as whole
    from rota.attempt a join rota.execution_history h on h.id = a.execution_id
    where a.execution_id = ${id}`.execute(db)
  return rows[0]
}

describe.each(['succeeded', 'failed'] as const)('an attempt that %s', (outcome) => {
  test.each([
    ['as it happened', at(10), at(20), at(10), at(20)],
    ['before it was assigned', at(-20), at(-10), at(0), at(0)],
    ['that begin after their end', at(30), at(20), at(20), at(20)],
    ['without a start: the one that was told before', undefined, at(20), at(1), at(20)],
  ])('has its times, %s', async (_, startedAt, endedAt, started, ended) => {
    const executionId = await run(5)
    await settle([report({ executionId, outcome, startedAt, endedAt })])
    expect(await readAttempt(executionId)).toMatchObject({ started_at: started, ended_at: ended })
  })

  test('has ended by now, whatever its agent says', async () => {
    const executionId = await run(5)
    const endedAt = new Date(Date.now() + 86_400_000)
    await settle([report({ executionId, outcome, startedAt: endedAt, endedAt })])
    const attempt = await readAttempt(executionId)
    expect(attempt?.ended_at.getTime()).toBeLessThanOrEqual(attempt!.settled_at.getTime())
    expect(attempt?.ended_at.getTime()).toBeGreaterThan(at(20).getTime())
    expect(attempt?.started_at).toEqual(attempt?.ended_at)
  })

  test('is not ended by an older epoch, nor by another session', async () => {
    const executionId = await run(5)
    const stale = report({ executionId, outcome, epoch: 4 as Epoch })
    const foreign = report({ executionId, outcome, sessionId: randomUUID() as SessionId })
    expect(await settle([stale, foreign])).toEqual([])
    const { rows } = await sql`select from rota.execution where id = ${executionId}`.execute(db)
    expect(rows).toHaveLength(1)
  })
})

test('both ways store the same', async () => {
  const [succeeded, failed] = [await run(5), await run(5)]
  const ended = await settle([
    report({ executionId: succeeded }),
    report({ executionId: failed, outcome: 'failed' }),
  ])
  expect(ended.map(({ executionId }) => executionId)).toEqual([succeeded, failed])
  const whole = (await readAttempt(succeeded))?.whole
  expect(whole).toMatchObject({
    message: 'said',
    exit_code: 0,
    history: { outputs: { answer: 42 } },
  })
  expect((await readAttempt(failed))?.whole).toEqual(whole)
})

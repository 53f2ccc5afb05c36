import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toAttemptRef } from '../../coordinator/dispatch/check-hello.ts'
import type { SessionId, WorkerId } from '../../coordinator/job/execution.ts'
import { createReportReceiver } from '../../coordinator/report/receive-report.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { Report } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

const logger = pino({ level: 'silent' })
let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

/** A result that the session does not own. */
function report(id: SessionId): Promise<object> {
  const deps = {
    ...{ db, logger, random, clock: createFakeClock() },
    ...{ hints: createHints(), specs: createJobSpecs() },
  }
  const steps = {
    ...{ toRef: toAttemptRef, settleReported: async () => [], onEnded: () => {} },
    onOthers: async () => {},
  }
  const finished = [{ execution: `executions/${randomUUID()}`, epoch: 1n }]
  const session = { id, workerId: 1 as WorkerId, workerName: 'worker-1', clockSkewMs: 0 }
  const receive = createReportReceiver(deps, steps)
  return receive({ session, report: Report.fromPartial({ finished }) })
}

test('a session that was replaced acknowledges no result: the next one may own it', async () => {
  const id = randomUUID() as SessionId
  await sql`with w as (insert into rota.worker (uid, name) values (gen_random_uuid(), 'worker-1') returning id)
    insert into rota.session (id, worker_id, coordinator_id) select ${id}, id, gen_random_uuid() from w`.execute(
    db,
  )
  await expect(report(id)).resolves.toEqual({ stale: [], isStored: true })
  await sql`delete from rota.session`.execute(db)
  await expect(report(id)).rejects.toMatchObject({ reason: 'SESSION_ENDED' })
})

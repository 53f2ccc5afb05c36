/** No edit of a job makes work of the past, whatever is edited and in which order. */
import fc from 'fast-check'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createJob, updateJob } from '../../coordinator/definition/define-job.ts'
import { deleteJob, pauseJob, resumeJob } from '../../coordinator/definition/switch-job.ts'
import { createScheduleLoop } from '../../coordinator/schedule/schedule-loop.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createHints } from '../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../coordinator/store/job-specs.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { seconds, shell } from '../support/spec.ts'
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
  db = openDatabase({ connection, logger: pino({ level: 'silent' }) })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

type Edit =
  | { readonly kind: 'schedule'; readonly schedule: object }
  | { readonly kind: 'description' | 'task' | 'pause' | 'resume' | 'delete'; readonly text: string }

const recurrences = fc.constantFrom(
  { cron: '* * * * *' },
  { cron: '*/7 * * * * *' },
  { cron: '0 H * * *' },
  { cron: '0 0 1 1 *' },
  { every: seconds('1s') },
  { every: seconds('600s'), phase: seconds('60s') },
  { at: '2027-01-01T00:00:00Z' },
)
const schedules = fc.record({
  recurrences: fc.array(recurrences, { minLength: 1, maxLength: 2 }),
  timeZone: fc.constantFrom('', 'America/New_York', 'Asia/Kolkata'),
  jitter: fc.option(fc.constantFrom(seconds('60s'), seconds('86400s')), { nil: undefined }),
  catchUp: fc.constantFrom(
    { policy: 'POLICY_ALL', maxLateness: seconds('86400s'), maxExecutions: 1_000 },
    { policy: 'POLICY_NONE' },
  ),
})
const texts = fc.string({ minLength: 1, maxLength: 5, unit: 'grapheme-ascii' })
const edits: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('schedule' as const), schedule: schedules }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(...(['description', 'task', 'pause', 'resume', 'delete'] as const)),
      text: texts,
    }),
  },
)

function coordinator() {
  const logger = pino({ level: 'silent' })
  const deps = { db, clock, random, hints: createHints(), specs: createJobSpecs(), logger }
  const loop = createScheduleLoop(deps, {
    storeNew: (work) => db.transaction().execute((tx) => work(tx, async () => undefined)),
    freeSlots: () => 0,
  })
  const look = async () => {
    const before = statements
    await loop.start()
    await until('it looks', () => statements > before)
    await loop.stop()
  }
  return { deps, look }
}

const name = (number: number) => `edited-${number}`

async function create(deps: ReturnType<typeof coordinator>['deps'], number: number) {
  const schedule = { recurrences: [{ cron: '* * * * *' }] }
  const job = Job.fromJSON({ spec: { ...shell('true'), schedule } })
  const common = { actor: 'token:test', request: undefined, validateOnly: false }
  await createJob(deps, { jobId: name(number), job, ...common })
  // As if it were a day old, with all its due times.
  await sql`update rota.job set created_at = created_at - interval '1 day' where name = ${name(number)}`.execute(
    db,
  )
}

async function apply(
  deps: ReturnType<typeof coordinator>['deps'],
  number: number,
  edit: Edit,
): Promise<void> {
  const by = { name: name(number), actor: 'token:test', validateOnly: false }
  const update = async (patch: object, mask: string[]) =>
    updateJob(deps, {
      ...by,
      job: Job.fromJSON(patch),
      mask,
      recoverFrom: undefined,
    })
  switch (edit.kind) {
    case 'schedule':
      await update({ spec: { schedule: edit.schedule } }, ['spec.schedule'])
      return
    case 'description':
      await update({ description: edit.text }, ['description'])
      return
    case 'task':
      await update({ spec: shell(`echo ${edit.text}`) }, ['spec.task'])
      return
    case 'pause':
      await pauseJob(deps, { ...by, reason: edit.text, until: undefined })
      return
    case 'resume':
      await resumeJob(deps, { ...by, recoverFrom: undefined })
      return
    case 'delete':
      await deleteJob(deps, { ...by, etag: '', force: false, cancel: async () => undefined })
      await create(deps, number)
  }
}

test('random edits decide no due time of before they were made', async () => {
  const { deps, look } = coordinator()
  let number = 0
  await fc.assert(
    fc.asyncProperty(fc.array(edits, { minLength: 1, maxLength: 6 }), async (list) => {
      number += 1
      await create(deps, number)
      for (const edit of list) {
        await look()
        await sql`delete from rota.occurrence`.execute(db)
        const { rows: times } = await sql<{
          now: Date
        }>`select clock_timestamp()::timestamptz(3) as now`.execute(db)
        const before = times[0]!.now
        await apply(deps, number, edit)
        await look()
        const { rows } = await sql<{
          scheduled_for: Date
        }>`select scheduled_for from rota.occurrence`.execute(db)
        // What an edit leaves alone may be decided a moment late; a changed schedule has nothing before its edit.
        const earliestMs = before.getTime() - (edit.kind === 'schedule' ? 0 : 2_000)
        for (const { scheduled_for: due } of rows) {
          expect(due.getTime(), JSON.stringify(edit)).toBeGreaterThanOrEqual(earliestMs)
        }
      }
      await sql`delete from rota.schedule`.execute(db)
    }),
    { numRuns: 20 },
  )
})

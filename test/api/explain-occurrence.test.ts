import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import {
  Occurrence_Decision,
  ExplainOccurrenceResponse_Verdict as Verdict,
} from '../../proto/gen/rota/v1/job_service.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { schedule, seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

const DAY_MS = 86_400_000

let rota: TestCoordinator

beforeAll(async () => {
  rota = await startTestCoordinator()
})

afterAll(async () => {
  await rota.remove()
})

/** As if the job had been made ten days ago, and the coordinator too. */
async function age(name: string): Promise<void> {
  await sql`update rota.job set created_at = created_at - interval '10 days' where name = ${name}`.execute(
    rota.db,
  )
  await sql`update rota.job_version set created_at = created_at - interval '10 days'
    where job_id = (select id from rota.job where name = ${name})`.execute(rota.db)
}

function explain(name: string, request: object) {
  return rota.jobs.explainOccurrence({ job: `jobs/${name}`, ...request })
}

test('a due time is answered from the ledger, with what became of its execution', async () => {
  await rota.addAgent('worker-1')
  await rota.createJob('ticking', { ...shell('exit 3'), ...schedule({ every: seconds('1s') }) })
  const first = await until('it has failed', async () => {
    const { occurrences } = await rota.jobs.listOccurrences({ job: 'jobs/ticking' })
    return occurrences.find(({ executionState }) => executionState === ExecutionState.FAILED)
  })
  await rota.jobs.pauseJob({ name: 'jobs/ticking', reason: 'enough' })
  const answer = await explain('ticking', { time: first.scheduledFor })
  expect(answer).toMatchObject({
    verdict: Verdict.ENQUEUED,
    occurrence: { execution: first.execution, decision: Occurrence_Decision.ENQUEUED },
    executionState: ExecutionState.FAILED,
    version: 1,
    nextTime: new Date(first.scheduledFor!.getTime() + 1_000),
  })
  expect(answer.message).toMatch(
    /^It was due and enqueued: on time .* its execution failed at .*: /,
  )
  // One that came after the pause.
  const { rows } = await sql<{
    at: Date
  }>`select max(scheduled_for) + interval '5 seconds' as at from rota.occurrence`.execute(rota.db)
  const at = rows[0]!.at
  const left = await until('it is decided', async () => {
    const answer = await explain('ticking', { time: at })
    return answer.verdict === Verdict.NOT_RUN && answer
  })
  expect(left.message).toMatch(/because the schedule was paused: paused by token:.*: enough \(/)
})

test('a time of day is read in the zone of the schedule, and answered by the version of then', async () => {
  const inTokyo = (cron: string) => schedule({ cron }, { timeZone: 'Asia/Tokyo' })
  await rota.createJob('nightly', { ...shell('true'), ...inTokyo('0 2 * * *') })
  await age('nightly')
  const spec = Job.fromJSON({ spec: { ...shell('true'), ...inTokyo('30 3 * * *') } }).spec
  await rota.jobs.updateJob({
    job: { ...Job.fromPartial({ name: 'jobs/nightly' }), spec },
    updateMask: ['spec'],
  })

  const answer = await explain('nightly', { localTime: '02:00' })
  const ageMs = Date.now() - answer.time!.getTime()
  expect(answer.time?.toISOString()).toMatch(/T17:00:00/)
  expect(ageMs).toBeGreaterThanOrEqual(0)
  expect(ageMs).toBeLessThan(DAY_MS)
  // Version 1 was in force; its ledger is that of a coordinator which was not there.
  expect(answer).toMatchObject({ version: 1 })
  expect([Verdict.FORGOTTEN, Verdict.NOT_DECIDED]).toContain(answer.verdict)

  expect(await explain('nightly', { localTime: '03:30' })).toMatchObject({
    verdict: Verdict.NOT_DUE,
    version: 1,
    message: expect.stringContaining('no due time of version 1'),
  })
  const tomorrow = new Date(Math.ceil(Date.now() / DAY_MS) * DAY_MS + DAY_MS + 18.5 * 3_600_000)
  expect(await explain('nightly', { time: tomorrow })).toMatchObject({
    verdict: Verdict.FUTURE,
    version: 2,
    message: expect.stringMatching(/^It is still to come: it is due in /),
  })
  expect(await explain('nightly', { time: new Date('2020-01-01T17:00:00Z') })).toMatchObject({
    verdict: Verdict.BEFORE_CREATION,
    version: 0,
  })
})

test.each([
  [{}, 'time FIELD_REQUIRED'],
  [{ time: new Date(), localTime: '02:00' }, 'time FIELD_REQUIRED'],
  [{ localTime: 'noon' }, 'local_time FIELD_INVALID'],
  [{ localTime: '25:00' }, 'local_time FIELD_INVALID'],
])('%j is refused with a hint', async (request, wrong) => {
  const error = await explain('nightly', request).then(
    () => undefined,
    (error: RotaError) => error,
  )
  expect(`${error?.violations[0]?.field} ${error?.reason}`).toBe(wrong)
  expect(error?.hint).toMatch(/^(Give|Write)/)
})

/** Two coordinators decide what is due while freezes and calendars hold it back; one of them is a process that is killed. */
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Calendar, CalendarDays } from '../../proto/gen/rota/v1/calendar.ts'
import { ExecutionState, Trigger } from '../../proto/gen/rota/v1/execution.ts'
import { Freeze, Freeze_After, Freeze_State } from '../../proto/gen/rota/v1/freeze_service.ts'
import { Job } from '../../proto/gen/rota/v1/job.ts'
import { type Occurrence, Occurrence_Decision } from '../../proto/gen/rota/v1/job_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { type RunningProcess, startProcess } from '../support/processes.ts'
import { schedule, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
const processes: RunningProcess[] = []

beforeAll(async () => {
  rota = await startTestCoordinator()
  await rota.addAgent('worker-1')
})

afterAll(async () => {
  for (const each of processes) each.kill('SIGKILL')
  await Promise.all(processes.map(({ exit }) => exit))
  await rota.remove()
})

/** Another coordinator on the same database, until it is killed. */
async function startOther(): Promise<RunningProcess> {
  const { database } = rota
  const dataDir = join(rota.dataDir, `other-${processes.length}`)
  const place = ['--data-dir', dataDir, '--grpc-port', '0', '--http-port', '0']
  const env = { DATABASE_URL: database.connectionString, ROTA_CLUSTER_KEY: database.clusterKey }
  const other = startProcess({ args: ['coordinator/main.ts', ...place], env })
  processes.push(other)
  await other.answer('ready')
  return other
}

async function kill(other: RunningProcess): Promise<void> {
  other.kill('SIGKILL')
  await other.exit
}

async function occurrencesOf(job: string): Promise<Occurrence[]> {
  const { occurrences } = await rota.jobs.listOccurrences({ job: `jobs/${job}`, pageSize: 1_000 })
  return occurrences.reverse()
}

/** The decisions of a job, without gap or double: as the ledger is keyed, and as its schedule says. */
async function wholeLedger(job: string): Promise<Occurrence[]> {
  const found = await occurrencesOf(job)
  const times = found.map(({ scheduledFor }) => scheduledFor!.getTime())
  for (const [index, timeMs] of times.slice(1).entries()) expect(timeMs - times[index]!).toBe(1_000)
  return found
}

const everySecond = (rest: object = {}) => schedule({ cron: '* * * * * *' }, rest)
const freezeOf = (of: Partial<Freeze>) =>
  Freeze.fromPartial({ endTime: new Date(Date.now() + 3_600_000), ...of })

function create(id: string, of: Partial<Freeze>) {
  return rota.freezes.createFreeze({ freezeId: id, freeze: freezeOf(of) })
}

/** Again when it had to wait too long for the schedules that are being decided, as clients do. */
async function endAndThaw(id: string): Promise<Freeze> {
  await until(`${id} is told to end`, async () => {
    try {
      return await rota.freezes.endFreeze({ name: `freezes/${id}` })
    } catch (error) {
      if (error instanceof RotaError && error.reason === 'DATABASE_UNAVAILABLE') return false
      throw error
    }
  })
  return until(`${id} is thawed`, async () => {
    const { freeze } = await rota.freezes.getFreeze({ name: `freezes/${id}` })
    return freeze?.state === Freeze_State.ENDED && freeze
  })
}

/** Executions of each job, by due time: none of them twice. */
async function executedTimes(job: string): Promise<number[]> {
  const { rows } = await sql<{ at: Date }>`select e.scheduled_for as at from rota.execution_any e
    join rota.job j on j.id = e.job_id where j.name = ${job} and e.scheduled_for is not null order by 1`.execute(
    rota.db,
  )
  const times = rows.map(({ at }) => at.getTime())
  expect(new Set(times).size).toBe(times.length)
  return times
}

test('each due time is decided once and run once, though a coordinator is killed in the freeze and in the thaw', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `ledger.job-${index}`)
  const holidays = Calendar.fromPartial({
    days: CalendarDays.fromPartial({ dates: ['2020-01-01'] }),
  })
  await rota.calendars.createCalendar({ calendarId: 'ledger', calendar: holidays })
  let other = await startOther()
  const spec = { ...shell('true'), ...everySecond({ excludeCalendars: ['ledger'] }) }
  await Promise.all(names.map(async (name) => rota.createJob(name, spec)))
  await until('they run', async () => (await occurrencesOf(names[0]!)).length > 1)
  await create('ledger', { jobPrefix: 'ledger.', after: Freeze_After.RUN_ALL, reason: 'books' })
  for (let round = 0; round < 2; round++) {
    const before = (await occurrencesOf(names[0]!)).length
    await until(
      'some are skipped',
      async () => (await occurrencesOf(names[0]!)).length > before + 1,
    )
    await kill(other)
    other = await startOther()
  }
  await rota.freezes.endFreeze({ name: 'freezes/ledger' })
  await kill(other)
  await startOther()
  const freeze = await endAndThaw('ledger')
  // From now on the calendar excludes every day.
  const today = [0, 1, 2].map((day) =>
    new Date(Date.now() + (day - 1) * 86_400_000).toISOString().slice(0, 10),
  )
  const days = CalendarDays.fromPartial({ dates: today })
  await rota.calendars.updateCalendar({
    calendar: Calendar.fromPartial({ name: 'calendars/ledger', days }),
    updateMask: ['days'],
  })
  const last = (found: readonly Occurrence[]) => found.at(-1)?.decision
  for (const name of names) {
    await until(`${name} is excluded`, async () => {
      return last(await occurrencesOf(name)) === Occurrence_Decision.SKIPPED_CALENDAR
    })
  }
  await Promise.all(names.map(async (name) => rota.jobs.pauseJob({ name: `jobs/${name}` })))
  let skipped = 0
  for (const name of names) {
    const found = await wholeLedger(name)
    const frozen = found.filter(({ decision }) => decision === Occurrence_Decision.SKIPPED_FREEZE)
    skipped += frozen.length
    expect(frozen.length).toBeGreaterThan(3)
    for (const { execution, reason, scheduledFor } of frozen) {
      expect(reason).toBe('freeze ledger: books; ran after its end')
      expect(scheduledFor! >= freeze.startTime! && scheduledFor! < freeze.endTime!).toBe(true)
      expect(await rota.ended(execution)).toMatchObject({
        trigger: Trigger.CATCH_UP,
        scheduledFor,
        state: ExecutionState.SUCCEEDED,
      })
    }
    const excluded = found.find(({ decision }) => decision === Occurrence_Decision.SKIPPED_CALENDAR)
    expect(excluded?.reason).toMatch(/^\d{4}-\d{2}-\d{2} is in ledger$/)
    const expected = found.filter(({ execution }) => execution !== '')
    expect(await executedTimes(name)).toEqual(
      expected.map(({ scheduledFor }) => scheduledFor!.getTime()),
    )
  }
  expect(freeze).toMatchObject({ skippedCount: skipped, executionCount: skipped })
})

test('RUN_ONCE runs the newest of each job, also of one that was due once', async () => {
  await create('once', { jobPrefix: 'once.', after: Freeze_After.RUN_ONCE })
  // Far enough ahead to be saved before it is due.
  const at = new Date(Math.ceil((Date.now() + 3_000) / 1_000) * 1_000)
  await rota.createJob('once.single', { ...shell('true'), ...schedule({ at: at.toISOString() }) })
  await rota.createJob('once.paused', { ...shell('true'), ...everySecond() })
  await rota.createJob('once.often', { ...shell('true'), ...everySecond() })
  await until('some are skipped', async () => (await occurrencesOf('once.often')).length > 3)
  await until('one is skipped', async () => (await occurrencesOf('once.single')).length > 0)
  await rota.jobs.pauseJob({ name: 'jobs/once.paused' })
  const freeze = await endAndThaw('once')
  expect(freeze.executionCount).toBe(2)
  const often = (await wholeLedger('once.often')).filter(
    ({ decision }) => decision === Occurrence_Decision.SKIPPED_FREEZE,
  )
  const ran = often.filter(({ execution }) => execution !== '')
  expect(ran).toEqual([often.at(-1)])
  expect((await rota.ended(ran[0]!.execution)).state).toBe(ExecutionState.SUCCEEDED)
  const [single] = await occurrencesOf('once.single')
  expect(single).toMatchObject({ decision: Occurrence_Decision.SKIPPED_FREEZE, scheduledFor: at })
  expect((await rota.ended(single!.execution)).scheduledFor).toEqual(at)
  expect(await executedTimes('once.paused')).toEqual([])
  await rota.jobs.pauseJob({ name: 'jobs/once.often' })
})

test('what runs after a freeze waits for the end of another one', async () => {
  await create('inner', { jobPrefix: 'nested.', after: Freeze_After.RUN_ONCE })
  const spec = { ...shell('true'), ...everySecond() }
  await rota.jobs.createJob({
    jobId: 'nested.job',
    job: { ...Job.fromJSON({ spec }), labels: { tier: 'gold' } },
  })
  await until('it is skipped', async () => (await occurrencesOf('nested.job')).length > 0)
  const endTime = new Date(Date.now() + 6_000)
  await create('outer', { selector: 'tier = gold', endTime })
  await endAndThaw('inner')
  const held = (await occurrencesOf('nested.job')).find(({ execution }) => execution !== '')
  const waiting = await rota.execution(held!.execution)
  expect(waiting.state).toBe(ExecutionState.WAITING)
  await rota.jobs.pauseJob({ name: 'jobs/nested.job' })
  const ended = await rota.ended(held!.execution)
  expect(ended.startTime! >= endTime).toBe(true)
})

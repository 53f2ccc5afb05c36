import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { Guarantee } from '../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { handlerOf, shellOf } from '../support/assignments.ts'
import { type AgentPair, startPair } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

/** What the attempt wrote to stdout so far. */
function outputOf({ coordinator }: AgentPair, { execution, epoch }: Assignment): string {
  return coordinator.logs.read(execution, epoch, LogStream.STDOUT).toString()
}

/** Waits until the attempt has written the pids of `count` processes, and gives them. */
function pidsOf(pair: AgentPair, assignment: Assignment, count: number): Promise<number[]> {
  return until('the processes run', () => {
    const pids = outputOf(pair, assignment).split('\n').filter(Boolean).map(Number)
    return pids.length >= count && pids
  })
}

/** A zombie that nobody has reaped yet does not live. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

test('a timeout stops the whole process group', async () => {
  const pair = await startPair()
  const assignment = shellOf('sleep 60 & echo $!; echo $$; wait', {
    timeout: durationFromMs(600),
  })
  pair.session.assign(assignment)
  const pids = await pidsOf(pair, assignment, 2)
  const finished = await pair.coordinator.finished(assignment)
  expect(finished).toMatchObject({ outcome: AttemptOutcome.TIMED_OUT, signal: 'SIGTERM' })
  expect(finished.message).toMatch(/^TIMEOUT: ran longer than 600ms/)
  expect(pids.filter(isAlive)).toEqual([])
})

test('a cancel gives a command time to clean up', async () => {
  const pair = await startPair()
  const assignment = shellOf('trap "echo cleaned up; exit 5" TERM; echo $$; sleep 60 & wait')
  pair.session.assign(assignment)
  await pidsOf(pair, assignment, 1)
  pair.session.stop(assignment, 'cancelled by ann')
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.CANCELLED,
    exitCode: 5,
    message: 'CANCELLED: cancelled by ann',
  })
  await until('its last words are stored', () => /cleaned up/.test(outputOf(pair, assignment)))
})

test('what ignores TERM is killed when the grace is over', async () => {
  const pair = await startPair()
  const assignment = shellOf('trap "" TERM; echo $$; while :; do sleep 1; done')
  pair.session.assign(assignment)
  const pids = await pidsOf(pair, assignment, 1)
  pair.session.stop(assignment, 'enough', 300)
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.CANCELLED,
    signal: 'SIGKILL',
  })
  expect(pids.filter(isAlive)).toEqual([])
})

test('a child that left the group is found and killed', async () => {
  const pair = await startPair()
  const assignment = shellOf('setsid sh -c "echo \\$\\$; exec sleep 61" & echo $$; wait')
  pair.session.assign(assignment)
  const pids = await pidsOf(pair, assignment, 2)
  pair.session.stop(assignment)
  await pair.coordinator.finished(assignment)
  await until('all are gone', () => !pids.some(isAlive))
})

test('a child in the background does not delay the end, and does not outlive it', async () => {
  const pair = await startPair()
  const assignment = shellOf('sleep 62 & echo $!; exit 0')
  pair.session.assign(assignment)
  const finished = await pair.coordinator.finished(assignment)
  expect(finished).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED, exitCode: 0 })
  const [pid] = await pidsOf(pair, assignment, 1)
  expect(isAlive(pid ?? 0)).toBe(false)
})

test('a stop for another epoch changes nothing', async () => {
  const pair = await startPair()
  const assignment = shellOf('echo $$; read line < /dev/null; sleep 0.5; echo done')
  pair.session.assign(assignment)
  await pidsOf(pair, assignment, 1)
  pair.session.stop({ execution: assignment.execution, epoch: assignment.epoch - 1n })
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
  })
})

test('a handler is asked to end by its signal', async () => {
  const pair = await startPair()
  const assignment = handlerOf('sleep', { duration: '1h' })
  pair.session.assign(assignment)
  await pair.coordinator.until(
    () => pair.session.reports.some((report) => report.started.length > 0),
    'its start',
  )
  pair.session.stop(assignment, 'changed my mind')
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.CANCELLED,
    message: 'CANCELLED: changed my mind',
  })
})

test('a newer epoch of an execution ends the older attempt before it begins', async () => {
  const pair = await startPair()
  const older = shellOf('trap "sleep 0.3; echo older ended; exit 1" TERM; echo $$; sleep 60 & wait')
  pair.session.assign(older)
  await pidsOf(pair, older, 1)
  const { execution } = older
  const newer = shellOf('echo newer began', { execution })
  pair.session.assign(newer)
  const ended = await pair.coordinator.finished(older)
  expect(ended).toMatchObject({ outcome: AttemptOutcome.CANCELLED })
  const began = await pair.coordinator.finished(newer)
  expect(began.outcome).toBe(AttemptOutcome.SUCCEEDED)
  expect(began.startTime?.getTime()).toBeGreaterThanOrEqual(ended.endTime?.getTime() ?? Infinity)
  // The old epoch sent once more, late, is left alone.
  pair.session.assign(older)
  const later = shellOf('true')
  pair.session.assign(later)
  await pair.coordinator.finished(later)
  expect(pair.session.finished.filter(({ epoch }) => epoch === older.epoch)).toHaveLength(2)
})

test('without contact, what must not outlive the lease is killed at its end, the rest goes on', async () => {
  const pair = await startPair({ script: { leaseMs: 2_000, heartbeatMs: 200 } })
  const stubborn = 'trap "" TERM; echo $$; while :; do sleep 0.1; done'
  const exclusive = shellOf(stubborn, { guarantee: Guarantee.EXCLUSIVE })
  const atMostOnce = shellOf(stubborn, { guarantee: Guarantee.AT_MOST_ONCE })
  const atLeastOnce = shellOf('echo $$; sleep 4; echo survived')
  pair.session.assign(exclusive, atMostOnce, atLeastOnce)
  const pids = await Promise.all(
    [exclusive, atMostOnce, atLeastOnce].map(async (each) => (await pidsOf(pair, each, 1))[0] ?? 0),
  )
  Object.assign(pair.coordinator.script, { welcomes: false, answersHeartbeats: false })
  const silentMs = performance.now()
  await until('both are killed', () => !isAlive(pids[0] ?? 0) && !isAlive(pids[1] ?? 0))
  // They ignore TERM, so this is the end of the lease, counted from the heartbeat before the silence.
  expect(performance.now() - silentMs).toBeGreaterThan(1_200)
  expect(performance.now() - silentMs).toBeLessThan(3_000)
  expect(isAlive(pids[2] ?? 0)).toBe(true)
  Object.assign(pair.coordinator.script, { welcomes: true, answersHeartbeats: true })
  for (const each of [exclusive, atMostOnce]) {
    expect(await pair.coordinator.finished(each)).toMatchObject({
      outcome: AttemptOutcome.LOST,
      message: 'LEASE_LOST: no contact with any coordinator',
    })
  }
  expect(await pair.coordinator.finished(atLeastOnce)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
  })
})

test('stopping the agent ends what runs and reports it lost', async () => {
  const pair = await startPair()
  const assignment = shellOf('echo $$; sleep 63')
  pair.session.assign(assignment)
  const pids = await pidsOf(pair, assignment, 1)
  await pair.agent.stop()
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.LOST,
    message: 'LEASE_LOST: the agent was stopped',
  })
  expect(pids.filter(isAlive)).toEqual([])
})

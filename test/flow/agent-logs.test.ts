import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Assignment, PushLogsResponse } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { Limits } from '../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { handlerOf, shellOf } from '../support/assignments.ts'
import { type AgentPair, startPair } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

const { STDOUT, STDERR } = LogStream

function outputOf(
  { coordinator }: AgentPair,
  { execution, epoch }: Assignment,
  stream: LogStream = STDOUT,
) {
  return coordinator.logs.read(execution, epoch, stream)
}

function withCap(logBytes: number): Partial<Assignment> {
  return { limits: Limits.fromPartial({ logBytes: BigInt(logBytes) }) }
}

test('output is there while the attempt still runs', async () => {
  const pair = await startPair()
  const assignment = shellOf('echo first; read wait < /dev/null; sleep 60')
  pair.session.assign(assignment)
  await until('the first line', () => outputOf(pair, assignment).toString() === 'first\n')
  expect(pair.session.finished).toEqual([])
})

test('large output arrives whole, in order, in pieces of at most 64 KiB', async () => {
  const pair = await startPair()
  const command = 'seq 1 400000; seq 400001 500000 >&2'
  const assignment = shellOf(command)
  pair.session.assign(assignment)
  const finished = await pair.coordinator.finished(assignment)
  const written = Number(finished.logBytes)
  const stored = () => outputOf(pair, assignment).length + outputOf(pair, assignment, STDERR).length
  await until('all of it', () => stored() === written)
  const expected = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`).join('')
  const hash = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
  expect(hash(outputOf(pair, assignment))).toBe(hash(expected))
  expect(finished.logBytesDropped).toBe(0n)
  expect(Math.max(...pair.coordinator.pushed.map(({ data }) => data.length))).toBe(64 * 1024)
})

test('beyond the cap nothing is shipped, and the dropped bytes are counted exactly', async () => {
  const pair = await startPair()
  const command =
    'head -c 3000 /dev/zero; sleep 0.5; head -c 4000 /dev/zero >&2; head -c 9000 /dev/zero'
  const assignment = shellOf(command, withCap(5_000))
  pair.session.assign(assignment)
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    logBytes: 5_000n,
    logBytesDropped: 11_000n,
  })
  const stored = () => outputOf(pair, assignment).length + outputOf(pair, assignment, STDERR).length
  await until('all that is kept', () => stored() === 5_000)
  // The first second of output was shipped before there was more than the cap.
  expect(outputOf(pair, assignment).length).toBeGreaterThanOrEqual(3_000)
})

test('a log stream that breaks goes on where the coordinator is', async () => {
  const pair = await startPair()
  const { coordinator } = pair
  let answers = 0
  coordinator.script.takesLog = (request, logs): PushLogsResponse | RotaError => {
    answers += 1
    const answer = logs.append(request)
    return answers % 5 === 0 ? new RotaError('DATABASE_UNAVAILABLE', 'gone') : answer
  }
  const assignment = shellOf('seq 1 200000')
  pair.session.assign(assignment)
  const finished = await coordinator.finished(assignment)
  await until('all of it', () => outputOf(pair, assignment).length === Number(finished.logBytes))
  expect(outputOf(pair, assignment).toString().endsWith('199999\n200000\n')).toBe(true)
})

test('pieces that were not stored are sent again', async () => {
  const pair = await startPair()
  const { coordinator } = pair
  let requests = 0
  coordinator.script.takesLog = (request, logs) => {
    requests += 1
    const { execution, epoch, stream } = request
    const offset = BigInt(logs.read(execution, epoch, stream).length)
    return requests === 3 ? { execution, epoch, stream, offset } : logs.append(request)
  }
  const assignment = shellOf('head -c 400000 /dev/zero')
  pair.session.assign(assignment)
  await coordinator.finished(assignment)
  await until('all of it', () => outputOf(pair, assignment).length === 400_000)
})

test('a coordinator that does not answer is never owed more than 1 MiB of one output', async () => {
  const pair = await startPair()
  const { coordinator } = pair
  coordinator.script.takesLog = () => undefined
  const assignment = shellOf('head -c 3000000 /dev/zero', withCap(4_000_000))
  pair.session.assign(assignment)
  await coordinator.finished(assignment)
  const sent = () => coordinator.pushed.reduce((sum, { data }) => sum + data.length, 0)
  await coordinator.until(() => sent() === 1024 * 1024, 'a full window')
  // Control is not held up by it.
  const other = shellOf('true')
  pair.session.assign(other)
  await coordinator.finished(other)
  expect(sent()).toBe(1024 * 1024)
})

test('an output that the coordinator refuses does not hold up that of others', async () => {
  const pair = await startPair()
  const { coordinator } = pair
  const refused = shellOf('echo refused')
  coordinator.script.takesLog = (request, logs) => {
    return request.execution === refused.execution
      ? new RotaError('PROTOCOL_VIOLATION', 'not an attempt of this worker')
      : logs.append(request)
  }
  const others = [1, 2, 3].map(() => shellOf('echo mine'))
  pair.session.assign(refused, ...others)
  for (const other of others) {
    await until('its output', () => outputOf(pair, other).toString() === 'mine\n')
  }
  await until('the log says so', () => {
    return pair.agent.log.some(({ why }) => why === 'not an attempt of this worker')
  })
})

test('an attempt whose folder somebody removes still ends', async () => {
  const pair = await startPair()
  pair.coordinator.script.takesLog = () => undefined
  const assignment = handlerOf('log', { lines: 5, intervalMs: 100 })
  pair.session.assign(assignment)
  await pair.coordinator.until(
    () => pair.session.reports.some(({ started }) => started.length > 0),
    'its start',
  )
  rmSync(join(pair.dataDir, 'attempts'), { recursive: true })
  expect(await pair.coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
  })
})

import { expect, test } from 'vitest'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { shellOf } from '../support/assignments.ts'
import { usedBytes } from '../support/heap.ts'
import {
  createTestAgent,
  startCoordinator,
  startPair,
  temporaryDataDir,
} from '../support/test-agent.ts'
import { until } from '../support/until.ts'

/** The agent still does what it is told. */
async function expectAlive({ coordinator, session }: Awaited<ReturnType<typeof startPair>>) {
  const assignment = shellOf('true')
  session.assign(assignment)
  await coordinator.finished(assignment)
}

test('more assignments than there are slots are refused, whatever their number', async () => {
  const pair = await startPair()
  const { session } = pair
  const running = Array.from({ length: 4 }, () => shellOf('sleep 60'))
  session.assign(...running)
  await until('all slots are taken', () => {
    return session.reports.flatMap(({ started }) => started).length === 4
  })
  session.assign(...Array.from({ length: 1_000 }, () => shellOf('sleep 60')))
  await until('the others are refused', () => {
    return session.reports.flatMap(({ refused }) => refused).length === 1_000
  })
  expect(session.reports.flatMap(({ accepted }) => accepted)).toHaveLength(4)
  for (const each of running) session.stop(each)
  for (const each of running) await pair.coordinator.finished(each)
  await expectAlive(pair)
})

test('what was refused stays refused when it comes again, though there is room by then', async () => {
  const pair = await startPair()
  const { coordinator, session } = pair
  const running = Array.from({ length: 4 }, () => shellOf('sleep 60'))
  const refused = shellOf('true')
  const timesRefused = () => {
    const entries = session.reports.flatMap((report) => report.refused)
    return entries.filter(({ execution }) => execution === refused.execution).length
  }
  session.assign(...running)
  session.assign(refused)
  await until('it is refused', () => timesRefused() === 1)
  for (const each of running) session.stop(each)
  for (const each of running) await coordinator.finished(each)
  session.assign(refused)
  await until('it is refused again', () => timesRefused() === 2)
  await expectAlive(pair)
  const told = session.reports.flatMap(({ accepted, started }) => [...accepted, ...started])
  expect(told.map(({ execution }) => execution)).not.toContain(refused.execution)
})

test('a coordinator that never acknowledges and assigns on and on does not fill the memory', async () => {
  const pair = await startPair({ script: { acknowledges: false }, args: ['--slots', '1'] })
  const { session } = pair
  session.assign(shellOf('sleep 60'))
  await until('the slot is taken', () => session.reports.length > 0)
  const before = usedBytes()
  for (let round = 0; round < 40; round++) {
    session.assign(...Array.from({ length: 1_000 }, () => shellOf('sleep 60')))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await until('it has heard all', () => {
    const lines = pair.agent.log.filter(({ msg }) => msg.includes('very long'))
    return lines.length === 40
  })
  expect(usedBytes() - before).toBeLessThan(64 * 1024 * 1024)
})

test('names that could be none, and stops of what does not run, change nothing', async () => {
  const pair = await startPair()
  const { session } = pair
  const names = ['', '../../etc', 'executions/..', 'executions/x', 'x'.repeat(10_000)]
  for (const execution of names) {
    session.assign(shellOf('true', { execution }))
    session.stop({ execution, epoch: -1n })
  }
  session.assign(shellOf('true', { job: '../job' }))
  await expectAlive(pair)
  expect(pair.session.reports.flatMap(({ finished }) => finished)).toHaveLength(1)
  const longest = Math.max(...pair.agent.log.map((line) => JSON.stringify(line).length))
  expect(longest).toBeLessThan(2_000)
})

test('a coordinator that wants heartbeats without end gets some', async () => {
  const pair = await startPair({ script: { heartbeatMs: -1_000, leaseMs: 60_000 } })
  await until('it has sent twenty', () => pair.session.heartbeats.length >= 20)
  const startMs = performance.now()
  const before = pair.session.heartbeats.length
  await expectAlive(pair)
  await until('some more', () => pair.session.heartbeats.length > before + 5)
  const sent = pair.session.heartbeats.length - before
  expect(sent).toBeLessThanOrEqual((performance.now() - startMs) / 20 + 2)
})

test('a coordinator that asks for time is given it', async () => {
  const coordinator = await startCoordinator()
  const agent = await createTestAgent({ coordinator, dataDir: await temporaryDataDir() })
  coordinator.script.refusal = new RotaError('OVERLOADED', 'full', { retryAfterMs: 1_500 })
  await agent.start()
  await until('it was refused', () => coordinator.refusals === 1)
  const refusedMs = performance.now()
  await until('it comes again', () => coordinator.refusals === 2)
  expect(performance.now() - refusedMs).toBeGreaterThan(1_300)
})

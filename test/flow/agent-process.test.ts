import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import {
  AGENT_MAIN,
  argumentsOf,
  isAlive,
  outputOf,
  pidsOf,
  startAgent,
  startProcessPair,
  wardenPid,
} from '../support/agent-process.ts'
import { handlerOf, shellOf } from '../support/assignments.ts'
import { cleanEnvironment, startProcess } from '../support/processes.ts'
import { startCoordinator, temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

test('it says when it is connected, and ends cleanly when asked to', async () => {
  const { coordinator, agent, session, dataDir } = await startProcessPair()
  expect(await agent.answer('connected')).toEqual({
    connected: true,
    worker: 'worker-1',
    session: 'session-1',
  })
  const assignment = shellOf('trap "" TERM; echo $$; while :; do sleep 0.2; done')
  session.assign(assignment)
  const pid = await until('it runs', () => Number(outputOf(coordinator, assignment)) || undefined)
  agent.kill('SIGINT')
  expect(await agent.exit).toBe(0)
  expect(isAlive(pid)).toBe(false)
  expect(wardenPid(dataDir)).toBeUndefined()
  expect(await coordinator.finished(assignment)).toMatchObject({ outcome: AttemptOutcome.LOST })
  expect(existsSync(join(dataDir, 'agent.lock'))).toBe(false)
  expect(agent.lines.join('\n')).not.toContain('rota-join-')
})

test('killed with its warden, it ends what is left of attempts at its next start and reports them', async () => {
  const { coordinator, agent, session, dataDir } = await startProcessPair()
  const running = shellOf('setsid sleep 64 & echo $!; echo $$; sleep 65')
  const inProcess = handlerOf('log', { lines: 2, intervalMs: 3_600_000 })
  const done = shellOf('echo result=7 >> "$ROTA_OUTPUT"')
  coordinator.script.acknowledges = false
  session.assign(running, inProcess, done)
  await coordinator.finished(done)
  const pids = await pidsOf(dataDir, running, 2)
  await until('the handler has logged', () => outputOf(coordinator, inProcess) === 'line 1\n')
  agent.kill('SIGKILL')
  process.kill(wardenPid(dataDir) ?? 0, 'SIGKILL')
  await agent.exit
  expect(pids.filter(isAlive)).toHaveLength(2)
  coordinator.script.acknowledges = true
  startAgent(coordinator, dataDir)
  const next = await coordinator.nextSession()
  expect(pids.filter(isAlive)).toEqual([])
  expect(next.hello.held.map(({ finished }) => finished)).toEqual([true, true, true])
  for (const lost of [running, inProcess]) {
    const result = await coordinator.until(
      () => next.finished.find(({ execution }) => execution === lost.execution),
      'a lost attempt',
    )
    expect(result).toMatchObject({
      outcome: AttemptOutcome.LOST,
      message: 'LEASE_LOST: the agent restarted while the attempt ran',
    })
    // Output goes another way than results.
    await until('its output is there', () => {
      return outputOf(coordinator, lost).length === Number(result.logBytes)
    })
  }
  const offered = await coordinator.until(
    () => next.finished.find(({ execution }) => execution === done.execution),
    'the result of before',
  )
  expect(offered).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED, outputs: { result: '7' } })
  await until('the folders are gone', () => readdirSync(join(dataDir, 'attempts')).length === 0)
})

test('output written before a kill is shipped by the next start', async () => {
  const { coordinator, agent, session, dataDir } = await startProcessPair()
  coordinator.script.takesLog = () => undefined
  const go = join(dataDir, 'go')
  const assignment = shellOf(`seq 1 50000; echo $$ >&2; until [ -e ${go} ]; do sleep 0.05; done`)
  session.assign(assignment)
  await coordinator.until(
    () => coordinator.pushed.some(({ stream }) => stream === LogStream.STDERR),
    'its last line',
  )
  agent.kill('SIGKILL')
  await agent.exit
  coordinator.script.takesLog = (request, logs) => logs.append(request)
  startAgent(coordinator, dataDir)
  writeFileSync(go, '')
  const finished = await coordinator.finished(assignment)
  await until('all of it', () => outputOf(coordinator, assignment).endsWith('49999\n50000\n'))
  const { execution, epoch } = assignment
  const errors = coordinator.logs.read(execution, epoch, LogStream.STDERR).length
  expect(Number(finished.logBytes)).toBe(outputOf(coordinator, assignment).length + errors)
})

test('folders that belong to no attempt are removed at the start', async () => {
  const coordinator = await startCoordinator()
  const dataDir = await temporaryDataDir()
  mkdirSync(join(dataDir, 'attempts', 'left-over', 'work'), { recursive: true })
  startAgent(coordinator, dataDir)
  await coordinator.nextSession()
  expect(readdirSync(join(dataDir, 'attempts'))).toEqual([])
})

test('it ends when the process that forked it is gone', async () => {
  const coordinator = await startCoordinator()
  const agent = fork(AGENT_MAIN, argumentsOf(coordinator, await temporaryDataDir()), {
    env: cleanEnvironment({ ROTA_JOIN_TOKEN: coordinator.joinToken() }),
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ended = new Promise((resolve) => agent.once('exit', resolve))
  await coordinator.nextSession()
  agent.disconnect()
  expect(await ended).toBe(0)
})

test('a second agent on the same folder is refused', async () => {
  const { coordinator, agent, dataDir } = await startProcessPair()
  const second = startAgent(coordinator, dataDir)
  expect(await second.exit).toBe(2)
  expect(second.lines.join('\n')).toMatch(
    new RegExp(`another agent \\(pid ${agent.pid}\\) uses .*\\nhint: `, 's'),
  )
})

test.each([
  [
    ['run', '--coordinator', '127.0.0.1:1', '--slots', 'many'],
    2,
    /error: --slots: "many" .*\nhint: /s,
  ],
  [['walk'], 2, /unknown command walk/],
  [['run', '--coordinator', '127.0.0.1:1'], 1, /has not joined.*\nhint: .*--join-token-file/s],
  [['join', '--coordinator', '127.0.0.1:1'], 1, /has not joined/],
  [['--help'], 0, /Usage: rota agent run\|join/],
])('%j ends with the right code and words', async (args, code, words) => {
  const dataDir = await temporaryDataDir()
  const agent = startProcess({ args: [AGENT_MAIN, ...args, '--data-dir', dataDir] })
  expect(await agent.exit).toBe(code)
  expect(agent.lines.join('\n')).toMatch(words)
})

test('a handler module that is wrong stops the start', async () => {
  const coordinator = await startCoordinator()
  const dataDir = await temporaryDataDir()
  const handlers = join(dataDir, 'handlers')
  mkdirSync(handlers)
  writeFileSync(join(handlers, 'bad.mjs'), 'export const nothing = 1')
  const agent = startProcess({
    args: [AGENT_MAIN, ...argumentsOf(coordinator, dataDir), '--handlers-dir', handlers],
    env: { ROTA_JOIN_TOKEN: coordinator.joinToken() },
  })
  expect(await agent.exit).toBe(1)
  expect(agent.lines.join('\n')).toMatch(/bad\.mjs: does not export an object named handlers/)
})

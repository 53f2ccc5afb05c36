/** The warden's process: what it does for jobs when agents are killed, hang and come back, and when it is killed itself. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Cgroups } from '../../agent/warden/cgroups.ts'
import { readEnds } from '../../agent/warden/end-log.ts'
import { wardenFiles } from '../../agent/warden/warden-files.ts'
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../proto/gen/rota/v1/execution.ts'
import { Guarantee } from '../../proto/gen/rota/v1/job.ts'
import { systemClock } from '../../shared/clock.ts'
import { durationFromMs } from '../../shared/duration.ts'
import {
  fileOf,
  isAlive,
  outputOf,
  type ProcessPair,
  pidsOf,
  startAgent,
  startProcessPair,
  wardenPid,
} from '../support/agent-process.ts'
import { assignmentOf, handlerOf, shellOf } from '../support/assignments.ts'
import type { RunningProcess } from '../support/processes.ts'
import { startCoordinator, temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

/** Runs until the file is there. */
function gated(file: string, before = 'echo $$'): string {
  return `${before}; until [ -e ${file} ]; do sleep 0.05; done; echo through`
}

async function kill(agent: RunningProcess): Promise<void> {
  agent.kill('SIGKILL')
  await agent.exit
}

/** Whether its warden has written down how it ended. */
function hasEnded(dataDir: string, { execution, epoch }: Assignment): boolean {
  const key = `${execution.replace('executions/', '')}.${epoch}`
  return readEnds(wardenFiles(dataDir).ends).has(key)
}

/** Stopped; goes on at the latest when the test ends. */
function freeze(pid: number): () => void {
  process.kill(pid, 'SIGSTOP')
  const thaw = () => {
    try {
      process.kill(pid, 'SIGCONT')
    } catch {
      // It was killed.
    }
  }
  onTestFinished(thaw)
  return thaw
}

/** Processes that still carry the mark of an attempt. */
function processesOf({ execution }: Assignment): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const mark = execution.replace('executions/', 'ROTA_EXECUTION=')
  return pids
    .map(Number)
    .filter((pid) => isAlive(pid) && readText(`/proc/${pid}/environ`).includes(mark))
}

/** Empty when it cannot be read. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function guardedTrio(dataDir: string) {
  const stubborn = 'trap "" TERM; echo $$; while :; do sleep 0.1; done'
  return {
    exclusive: shellOf(stubborn, { guarantee: Guarantee.EXCLUSIVE }),
    atMostOnce: shellOf(stubborn, { guarantee: Guarantee.AT_MOST_ONCE }),
    atLeastOnce: shellOf(gated(join(dataDir, 'go'))),
  }
}

describe('an agent that is killed', () => {
  test('leaves its jobs running; the next start takes them back with result and output', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const go = join(dataDir, 'go')
    const assignment = shellOf(
      `${gated(go, 'echo $$; seq 1 20000')}; echo result=7 >> "$ROTA_OUTPUT"; exit 3`,
    )
    session.assign(assignment)
    const [pid = 0] = await pidsOf(dataDir, assignment)
    await kill(agent)
    expect(isAlive(pid)).toBe(true)
    startAgent(coordinator, dataDir)
    const next = await coordinator.nextSession()
    const { execution, epoch } = assignment
    expect(next.hello.held).toEqual([{ execution, epoch, finished: false }])
    expect(isAlive(pid)).toBe(true)
    await coordinator.until(
      () => next.reports.some(({ started }) => started.length > 0),
      'its start',
    )
    writeFileSync(go, '')
    const finished = await coordinator.finished(assignment)
    expect(finished).toMatchObject({
      outcome: AttemptOutcome.FAILED,
      exitCode: 3,
      outputs: { result: '7' },
    })
    await until('all its output', () => outputOf(coordinator, assignment).endsWith('through\n'))
    expect(outputOf(coordinator, assignment)).toBe(
      `${pid}\n${Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join('')}through\n`,
    )
    expect(Number(finished.logBytes)).toBe(outputOf(coordinator, assignment).length)
    await until('the folder is gone', () => readdirSync(join(dataDir, 'attempts')).length === 0)
  })

  test('hears at its next start of what has ended meanwhile', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const go = join(dataDir, 'go')
    const assignment = shellOf(`${gated(go)}; exit 4`)
    session.assign(assignment)
    await pidsOf(dataDir, assignment)
    await kill(agent)
    const killedAt = new Date()
    writeFileSync(go, '')
    await until('it has ended', () => hasEnded(dataDir, assignment))
    const endedBefore = new Date()
    startAgent(coordinator, dataDir)
    const finished = await coordinator.finished(assignment)
    expect(finished).toMatchObject({ outcome: AttemptOutcome.FAILED, exitCode: 4 })
    expect(finished.startTime?.getTime()).toBeLessThan(killedAt.getTime())
    expect(finished.endTime?.getTime()).toBeLessThanOrEqual(endedBefore.getTime())
  })

  test('hears it from the disk when the warden has gone too', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const go = join(dataDir, 'go')
    const assignment = shellOf(`${gated(go)}; exit 5`)
    session.assign(assignment)
    await pidsOf(dataDir, assignment)
    await kill(agent)
    writeFileSync(go, '')
    await until('it has ended', () => hasEnded(dataDir, assignment))
    process.kill(wardenPid(dataDir) ?? 0, 'SIGKILL')
    await until('the warden is dead', () => wardenPid(dataDir) === undefined)
    startAgent(coordinator, dataDir)
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.FAILED,
      exitCode: 5,
    })
  })

  test('stops after its return what it is told to stop', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const assignment = shellOf('trap "exit 6" TERM; echo $$; while :; do sleep 0.05; done')
    session.assign(assignment)
    await pidsOf(dataDir, assignment)
    await kill(agent)
    startAgent(coordinator, dataDir)
    const next = await coordinator.nextSession()
    next.stop(assignment, 'enough')
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.CANCELLED,
      exitCode: 6,
      message: 'CANCELLED: enough',
    })
  })

  test('comes back although its own socket and its own lock are still there', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const assignment = shellOf('echo $$; sleep 64')
    session.assign(assignment)
    const [pid = 0] = await pidsOf(dataDir, assignment)
    process.kill(wardenPid(dataDir) ?? 0, 'SIGKILL')
    await kill(agent)
    expect(statSync(join(dataDir, 'warden', 'socket')).isSocket()).toBe(true)
    startAgent(coordinator, dataDir)
    await coordinator.finished(assignment)
    expect(isAlive(pid)).toBe(false)
    const next = shellOf('echo anew')
    ;(await coordinator.nextSession()).assign(next)
    expect(await coordinator.finished(next)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  })
})

describe('an agent that hangs', () => {
  test('renews no lease: guarded jobs are killed at its end, others go on', async () => {
    const pair = await startProcessPair({ leaseMs: 2_000, heartbeatMs: 200 })
    const { coordinator, dataDir, agent, session } = pair
    const { exclusive, atMostOnce, atLeastOnce } = guardedTrio(dataDir)
    session.assign(exclusive, atMostOnce, atLeastOnce)
    const pids = await Promise.all(
      [exclusive, atMostOnce, atLeastOnce].map(
        async (each) => (await pidsOf(dataDir, each))[0] ?? 0,
      ),
    )
    const frozenMs = performance.now()
    const thaw = freeze(agent.pid)
    await until('both are killed', () => !isAlive(pids[0] ?? 0) && !isAlive(pids[1] ?? 0))
    // They ignore TERM: this is the end of the lease, which was renewed at most two heartbeats before.
    expect(performance.now() - frozenMs).toBeGreaterThan(1_200)
    expect(isAlive(pids[2] ?? 0)).toBe(true)
    thaw()
    for (const each of [exclusive, atMostOnce]) {
      expect(await coordinator.finished(each)).toMatchObject({
        outcome: AttemptOutcome.LOST,
        signal: 'SIGKILL',
        message: 'LEASE_LOST: no contact with any coordinator',
      })
    }
    writeFileSync(join(dataDir, 'go'), '')
    expect(await coordinator.finished(atLeastOnce)).toMatchObject({
      outcome: AttemptOutcome.SUCCEEDED,
    })
  })

  test('keeps no timeout from firing', async () => {
    const { coordinator, dataDir, agent, session } = await startProcessPair()
    const assignment = shellOf('echo $$; sleep 64', { timeout: durationFromMs(1_000) })
    session.assign(assignment)
    const [pid = 0] = await pidsOf(dataDir, assignment)
    const thaw = freeze(agent.pid)
    await until('it is stopped', () => !isAlive(pid))
    thaw()
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.TIMED_OUT,
      signal: 'SIGTERM',
      message: 'TIMEOUT: ran longer than 1s and was stopped',
    })
  })
})

describe('an agent that is stopped', () => {
  test.each(['SIGTERM', 'SIGHUP'] as const)(
    'by %s leaves its jobs to the next start',
    async (signal) => {
      const { coordinator, dataDir, agent, session } = await startProcessPair()
      const go = join(dataDir, 'go')
      const assignment = shellOf(gated(go))
      const inProcess = handlerOf('sleep', { duration: '1h' })
      session.assign(assignment, inProcess)
      const [pid = 0] = await pidsOf(dataDir, assignment)
      await coordinator.until(
        () => session.reports.flatMap(({ started }) => started).length === 2,
        'both starts',
      )
      agent.kill(signal)
      expect(await agent.exit).toBe(0)
      expect(await coordinator.finished(inProcess)).toMatchObject({
        outcome: AttemptOutcome.LOST,
        message: 'LEASE_LOST: the agent was stopped',
      })
      expect(isAlive(pid)).toBe(true)
      startAgent(coordinator, dataDir)
      const next = await coordinator.nextSession()
      expect(next.hello.held).toMatchObject([{ execution: assignment.execution, finished: false }])
      writeFileSync(go, '')
      expect(await coordinator.finished(assignment)).toMatchObject({
        outcome: AttemptOutcome.SUCCEEDED,
      })
      expect(fileOf(dataDir, assignment)).toBe(`${pid}\nthrough\n`)
    },
  )
})

describe('a warden that is killed', () => {
  async function startTwo() {
    const pair = await startProcessPair()
    const assignment = shellOf('setsid sleep 64 & echo $!; echo $$; sleep 65')
    pair.session.assign(assignment)
    return { ...pair, assignment, pids: await pidsOf(pair.dataDir, assignment, 2) }
  }

  async function runsAgain({ coordinator, session }: ProcessPair): Promise<void> {
    const next = shellOf('echo anew')
    session.assign(next)
    expect(await coordinator.finished(next)).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED })
  }

  test('leaves no process; the agent says at once what is lost, and goes on', async () => {
    const pair = await startTwo()
    const { coordinator, assignment, dataDir, pids } = pair
    process.kill(wardenPid(dataDir) ?? 0, 'SIGKILL')
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.LOST,
      signal: 'SIGKILL',
      message: 'LEASE_LOST: the warden of the agent was killed',
    })
    expect(pids.filter(isAlive)).toEqual([])
    await runsAgain(pair)
  })

  test('because it hangs, likewise', async () => {
    const pair = await startTwo()
    const { coordinator, assignment, dataDir, pids } = pair
    const before = wardenPid(dataDir) ?? 0
    freeze(before)
    expect(await coordinator.finished(assignment)).toMatchObject({ outcome: AttemptOutcome.LOST })
    expect([before, ...pids].filter(isAlive)).toEqual([])
    await runsAgain(pair)
  })
})

test('the path of the data folder may be longer than the address of a socket', async () => {
  const coordinator = await startCoordinator()
  const dataDir = join(await temporaryDataDir(), 'a-long-name'.repeat(15))
  startAgent(coordinator, dataDir)
  const session = await coordinator.nextSession()
  const assignment = shellOf('true')
  session.assign(assignment)
  expect(await coordinator.finished(assignment)).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
  })
})

test('a warden whose data folder was removed ends what it has, and itself', async () => {
  const { dataDir, agent, session } = await startProcessPair()
  const assignment = shellOf('echo $$; sleep 64')
  session.assign(assignment)
  const [pid = 0] = await pidsOf(dataDir, assignment)
  const warden = wardenPid(dataDir) ?? 0
  await kill(agent)
  rmSync(dataDir, { recursive: true })
  await until('both are gone', () => !isAlive(warden) && !isAlive(pid))
})

test('a warden without an agent and without work ends by itself', async () => {
  const { coordinator, dataDir, agent, session } = await startProcessPair()
  const assignment = shellOf('true')
  session.assign(assignment)
  await coordinator.finished(assignment)
  expect(wardenPid(dataDir)).toBeDefined()
  await kill(agent)
  await until('it is gone', () => wardenPid(dataDir) === undefined)
  expect(existsSync(join(dataDir, 'warden', 'socket'))).toBe(false)
})

test('what a job keeps secret in its environment is in no file of the warden and no command line', async () => {
  const { dataDir, coordinator, session } = await startProcessPair()
  const go = join(dataDir, 'go')
  const env = { TOKEN: 'a-word-to-keep' }
  const value = {
    command: gated(go, 'printf %s "$TOKEN" | wc -c'),
    env,
    workingDirectory: '',
    runAs: '',
  }
  const assignment = assignmentOf({ $case: 'shell', value })
  session.assign(assignment)
  expect(await pidsOf(dataDir, assignment)).toEqual([env.TOKEN.length])
  const lines = readdirSync('/proc').map((pid) => readText(`/proc/${pid}/cmdline`))
  expect(lines.filter((line) => line.includes(env.TOKEN))).toEqual([])
  writeFileSync(go, '')
  await coordinator.finished(assignment)
  const files = ['warden', 'attempts'].flatMap((folder) =>
    readdirSync(join(dataDir, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      readText(join(dataDir, folder, name)),
    ),
  )
  expect(files.filter((text) => text.includes(env.TOKEN))).toEqual([])
})

describe('what a job leaves behind', () => {
  test('is gone when it was stopped: daemons and storms of forks', async () => {
    const { coordinator, dataDir, session } = await startProcessPair()
    const daemon = 'setsid sh -c "trap \\"\\" TERM; echo \\$\\$; while :; do sleep 0.1; done" &'
    const nameless = 'setsid env -i sh -c "echo \\$\\$; sleep 66" &'
    const storm = 'while :; do (setsid sh -c "sleep 67" &); sleep 0.01; done'
    const assignment = shellOf(`${daemon} ${nameless} echo $$; ${storm}`)
    session.assign(assignment)
    const pids = await pidsOf(dataDir, assignment, 3)
    session.stop(assignment, 'enough', 0)
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.CANCELLED,
    })
    // Without its environment and its group, only a cgroup still knows it.
    const found = pids.filter(isAlive)
    expect(found.length).toBeLessThanOrEqual(Cgroups.open(dataDir, systemClock) ? 0 : 1)
    expect(processesOf(assignment)).toEqual([])
  })

  test('is gone when it ended by itself', async () => {
    const { coordinator, dataDir, session } = await startProcessPair()
    const assignment = shellOf('setsid sleep 66 & echo $!; exit 0')
    session.assign(assignment)
    expect(await coordinator.finished(assignment)).toMatchObject({
      outcome: AttemptOutcome.SUCCEEDED,
    })
    const [pid = 0] = await pidsOf(dataDir, assignment)
    expect(isAlive(pid)).toBe(false)
  })
})

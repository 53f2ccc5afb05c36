/** What a warden does with processes, without the agent and the socket between: also on hosts without cgroups. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readBootMs } from '../../agent/warden/boot-clock.ts'
import { Cgroups } from '../../agent/warden/cgroups.ts'
import { EndLog, readEnds } from '../../agent/warden/end-log.ts'
import { endLeftovers } from '../../agent/warden/leftovers.ts'
import type { ProcessEnd, Started, StartOrder } from '../../agent/warden/messages.ts'
import { Warden } from '../../agent/warden/warden.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { newId } from '../../shared/ids.ts'
import { readBootId } from '../../shared/process-stat.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { isAlive } from '../support/agent-process.ts'
import { temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

const STUBBORN = 'trap "" TERM; echo $$; while :; do sleep 0.05; done'

async function startWarden(hasCgroups = false) {
  const dataDir = await temporaryDataDir()
  const attemptsDir = join(dataDir, 'attempts')
  const endsFile = join(dataDir, 'ends')
  const log = EndLog.open(endsFile)
  const cgroups = hasCgroups ? Cgroups.open(dataDir, clock) : undefined
  const started: [string, Started][] = []
  const ends = new Map<string, ProcessEnd>()
  const troubles: string[] = []
  const bootId = readBootId()
  const warden = new Warden({
    ...{ clock, readBootMs, bootId, attemptsDir, cgroups, ends: log },
    listener: {
      onStarted: (key, process) => started.push([key, process]),
      onEnded: (key, end) => ends.set(key, end),
      onTrouble: (what) => troubles.push(what),
    },
  })
  onTestFinished(async () => {
    await warden.close({ kind: 'lost', reason: 'the test is over' }, 0)
    cgroups?.close()
    log.close()
  })
  const run = (command: string, change: Partial<StartOrder> = {}): string => {
    const key = `${newId(clock, random)}.7`
    mkdirSync(join(attemptsDir, key), { recursive: true })
    const [execution = '', epoch = ''] = key.split('.')
    warden.start({
      key,
      file: '/bin/sh',
      args: ['-c', command],
      workingDirectory: dataDir,
      environment: { PATH: '/bin:/usr/bin', ROTA_EXECUTION: execution, ROTA_EPOCH: epoch },
      user: undefined,
      timeoutMs: undefined,
      killGraceMs: 10_000,
      isGuarded: false,
      ...change,
    })
    return key
  }
  const output = (key: string) => readFileSync(join(attemptsDir, key, 'stdout'), 'utf8')
  return {
    ...{ warden, dataDir, attemptsDir, endsFile, bootId, started, ends, troubles, run, output },
    pids: (key: string, count = 1) =>
      until('the processes run', () => {
        if (!started.some(([each]) => each === key)) return undefined
        const pids = output(key).split('\n').filter(Boolean).map(Number)
        return pids.length >= count && pids
      }),
    end: (key: string) => until(`${key} has ended`, () => ends.get(key)),
  }
}

test('an order that comes twice starts one process', async () => {
  const { warden, run, started, end, endsFile } = await startWarden()
  const key = run('echo once')
  const order = { ...orderLike(key), key }
  warden.start(order)
  const told = await end(key)
  warden.start(order)
  expect(told).toMatchObject({ exit: { kind: 'exited', exitCode: 0 }, cause: undefined })
  expect(started).toHaveLength(1)
  // It was on the disk before it was told.
  expect(readEnds(endsFile).get(key)).toEqual(JSON.parse(JSON.stringify(told)))
  expect(warden.list()).toHaveLength(1)
  warden.forget(key)
  expect(warden.list()).toEqual([])
  expect(readEnds(endsFile)).toEqual(new Map())
})

function orderLike(key: string): StartOrder {
  return {
    key,
    file: '/bin/sh',
    args: ['-c', 'echo twice'],
    workingDirectory: '/',
    environment: {},
    user: undefined,
    timeoutMs: undefined,
    killGraceMs: 0,
    isGuarded: false,
  }
}

test('what runs is not forgotten', async () => {
  const { warden, run, pids } = await startWarden()
  const key = run(STUBBORN)
  await pids(key)
  warden.forget(key)
  expect(warden.list().map((held) => held.key)).toEqual([key])
})

test('a later request to stop never gives more time than an earlier one', async () => {
  const { warden, run, pids, end } = await startWarden()
  const key = run(STUBBORN)
  await pids(key)
  const askedMs = performance.now()
  warden.stop(key, { kind: 'cancelled', reason: 'first' }, 1_000)
  await until('most of it is over', () => performance.now() - askedMs > 700)
  warden.stop(key, { kind: 'lost', reason: 'second' }, 900)
  expect(await end(key)).toMatchObject({
    exit: { kind: 'signalled', signal: 'SIGKILL' },
    cause: { kind: 'cancelled', reason: 'first' },
  })
  expect(performance.now() - askedMs).toBeLessThan(1_600)
})

describe('a guarded attempt', () => {
  test('is not begun without a lease, or after its end', async () => {
    const { warden, run, end, started } = await startWarden()
    const first = run('echo $$', { isGuarded: true })
    const lost = {
      exit: { kind: 'not_started' },
      cause: { kind: 'lost', reason: 'no contact with any coordinator' },
    }
    expect(await end(first)).toMatchObject(lost)
    warden.renewLease({ termAtMs: readBootMs() - 1_000, killAtMs: readBootMs() + 1_000 })
    expect(await end(run('echo $$', { isGuarded: true }))).toMatchObject(lost)
    expect(started).toEqual([])
  })

  test('gets TERM and KILL at the times of the lease, and lives on when it is renewed', async () => {
    const { warden, run, pids, end } = await startWarden()
    const begunMs = readBootMs()
    warden.renewLease({ termAtMs: begunMs + 600, killAtMs: begunMs + 1_200 })
    const key = run('trap "echo TERM" TERM; echo $$; while :; do sleep 0.05; done', {
      isGuarded: true,
    })
    const other = run(STUBBORN)
    const [pid = 0] = await pids(other)
    await pids(key)
    warden.renewLease({ termAtMs: begunMs + 2_000, killAtMs: begunMs + 2_600 })
    const ended = await end(key)
    expect(ended).toMatchObject({
      exit: { kind: 'signalled', signal: 'SIGKILL' },
      cause: { kind: 'lost' },
    })
    expect(readBootMs()).toBeGreaterThanOrEqual(begunMs + 2_600)
    expect(isAlive(pid)).toBe(true)
  })
})

describe.each([
  ['with cgroups', true],
  ['without cgroups', false],
])('what has left the process group, %s,', (_, hasCgroups) => {
  test('is gone when the attempt has ended', async () => {
    const { run, pids, end } = await startWarden(hasCgroups)
    const key = run('setsid sh -c "echo \\$\\$; exec sleep 61" & sleep 0.3; exit 0')
    expect(await end(key)).toMatchObject({ exit: { kind: 'exited', exitCode: 0 } })
    expect((await pids(key)).filter(isAlive)).toEqual([])
  })

  test('is gone when what its warden left is ended', async () => {
    const { run, pids, dataDir, started, ...place } = await startWarden(hasCgroups)
    const key = run('setsid sh -c "echo \\$\\$; exec sleep 62" & echo $$; wait')
    const found = await pids(key, 2)
    const cgroups = hasCgroups ? Cgroups.open(dataDir, clock) : undefined
    onTestFinished(() => cgroups?.close())
    const process = started[0]?.[1].process
    await endLeftovers([{ key, process }], { ...place, clock, cgroups })
    expect(found.filter(isAlive)).toEqual([])
  })
})

test('of two attempts only the one that is meant is ended', async () => {
  const { run, pids, started, ...place } = await startWarden()
  const [mine, other] = [run('echo $$; sleep 63'), run('echo $$; sleep 63')]
  const [pid = 0] = await pids(other)
  await pids(mine)
  const process = started.find(([key]) => key === mine)?.[1].process
  await endLeftovers([{ key: mine, process }], { ...place, clock, cgroups: undefined })
  expect(isAlive(pid)).toBe(true)
})

test('a process of another boot, or one that came later to its pid, is left alone', async () => {
  const { run, pids, ...place } = await startWarden()
  const key = run('unset ROTA_EXECUTION; exec sh -c "echo \\$\\$; exec sleep 64"')
  const [pid = 0] = await pids(key)
  for (const process of [
    { pid, startTicks: '1', bootId: place.bootId },
    { pid, startTicks: '1', bootId: 'another' },
  ]) {
    await endLeftovers([{ key, process }], { ...place, clock, cgroups: undefined })
  }
  expect(isAlive(pid)).toBe(true)
})

test('the end says what it took, where the host tells', async () => {
  const { run, end, dataDir } = await startWarden(true)
  const { usage } = await end(run('i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'))
  if (Cgroups.open(dataDir, clock) === undefined) expect(usage).toEqual({})
  else expect(usage.cpuMs).toBeGreaterThan(20)
})

test('nothing is begun once it closes', async () => {
  const { warden, run, end, started } = await startWarden()
  await warden.close({ kind: 'lost', reason: 'over' }, 0)
  expect(await end(run('echo $$'))).toMatchObject({
    exit: { kind: 'not_started' },
    cause: { kind: 'lost', reason: 'over' },
  })
  expect(started).toEqual([])
})

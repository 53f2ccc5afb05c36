import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Assignment, Finished } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome, LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { assignmentOf, handlerOf, scriptOf, shellOf } from '../support/assignments.ts'
import { type AgentPair, startPair, temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

/** Runs it to its end; answers the result and all that it wrote. */
async function run(pair: AgentPair, assignment: Assignment) {
  pair.session.assign(assignment)
  const finished = await pair.coordinator.finished(assignment)
  const { execution, epoch } = assignment
  const { logs } = pair.coordinator
  const output = () => logs.read(execution, epoch, LogStream.STDOUT).toString()
  const errors = () => logs.read(execution, epoch, LogStream.STDERR).toString()
  await until('its output is stored', () => {
    return BigInt(output().length + errors().length) >= finished.logBytes
  })
  return { finished, output: output(), errors: errors() }
}

test('a shell command runs, and its output, outputs and exit come back', async () => {
  const pair = await startPair()
  const command = 'echo hello; echo oops >&2; echo answer=42 >> "$ROTA_OUTPUT"'
  const { finished, output, errors } = await run(pair, shellOf(command))
  expect(finished).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    exitCode: 0,
    signal: '',
    message: '',
    outputs: { answer: '42' },
    logBytes: 11n,
    logBytesDropped: 0n,
  })
  expect([output, errors]).toEqual(['hello\n', 'oops\n'])
  const { startTime, endTime } = finished
  expect(endTime?.getTime()).toBeGreaterThanOrEqual(startTime?.getTime() ?? Infinity)
})

test('it is accepted, started and finished, in this order and once each', async () => {
  const pair = await startPair()
  // Long enough that its start is reported: what has ended by then says its end alone.
  const assignment = shellOf('sleep 0.5')
  await run(pair, assignment)
  const words = pair.session.reports.flatMap((report) => [
    ...report.accepted.map(() => 'accepted'),
    ...report.started.map(() => 'started'),
    ...report.finished.map(() => 'finished'),
  ])
  expect(words).toEqual(['accepted', 'started', 'finished'])
})

test('an exit code and a signal fail the attempt, and are told', async () => {
  const pair = await startPair()
  const exit = await run(pair, shellOf('exit 3'))
  expect(exit.finished).toMatchObject({
    outcome: AttemptOutcome.FAILED,
    exitCode: 3,
    message: 'EXIT_CODE: exit code 3',
  })
  const killed = await run(pair, shellOf('kill -SEGV $$'))
  expect(killed.finished).toMatchObject({
    outcome: AttemptOutcome.FAILED,
    exitCode: undefined,
    signal: 'SIGSEGV',
    message: 'SIGNALLED: ended by SIGSEGV',
  })
})

test('commands that end at once are not missed', async () => {
  const pair = await startPair({ args: ['--slots', '40'] })
  const assignments = Array.from({ length: 40 }, () => shellOf('true'))
  pair.session.assign(...assignments)
  for (const assignment of assignments) {
    expect(await pair.coordinator.finished(assignment)).toMatchObject({ exitCode: 0 })
  }
})

test('any bytes that a command writes arrive unchanged', async () => {
  const pair = await startPair()
  const assignment = shellOf("printf '\\000\\377\\n\\200'")
  await run(pair, assignment)
  const { execution, epoch } = assignment
  const stored = pair.coordinator.logs.read(execution, epoch, LogStream.STDOUT)
  expect([...stored]).toEqual([0, 0xff, 0x0a, 0x80])
})

test('a job sees nothing of the agent but a short list', async () => {
  const pair = await startPair({ env: { AGENT_SECRET: 'do not tell' } })
  const { output } = await run(pair, shellOf('env'))
  const names = output
    .trim()
    .split('\n')
    .map((line) => line.split('=')[0])
  const shellsOwn = ['PWD', 'OLDPWD', 'SHLVL', '_']
  const allowed = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'SHELL', 'TMPDIR', ...shellsOwn]
  expect(
    names.filter((name) => !name?.startsWith('ROTA_') && !allowed.includes(name ?? '')),
  ).toEqual([])
  expect(names).toContain('ROTA_EPOCH')
  expect(output).not.toMatch(/do not tell|rota-join-/)
})

test('invalid outputs are left out and leave the outcome alone', async () => {
  const pair = await startPair()
  const { finished } = await run(pair, shellOf('echo "no pair" > "$ROTA_OUTPUT"'))
  expect(finished).toMatchObject({ outcome: AttemptOutcome.SUCCEEDED, outputs: undefined })
  expect(finished.message).toBe('outputs are left out: line 1 is not key=value')
})

test('a job may clear its working directory, and loses no output', async () => {
  const pair = await startPair()
  const { output } = await run(pair, shellOf('touch a; ls; rm -rf "$PWD"; echo still here'))
  expect(output).toBe('a\nstill here\n')
})

test('its folder is gone when its result is acknowledged and its output stored', async () => {
  const pair = await startPair({ script: { acknowledges: false } })
  const assignment = shellOf('echo x; pwd')
  const { output } = await run(pair, assignment)
  const folder = output.split('\n')[1] ?? ''
  expect(existsSync(folder)).toBe(true)
  for (const report of pair.session.reports) pair.session.acknowledge(report)
  await until('the folder is gone', () => readdirSync(join(pair.dataDir, 'attempts')).length === 0)
})

test.each<[string, Assignment, string]>([
  ['sh by default', scriptOf({ inline: 'echo sh $0 $1' }, { args: ['a b'] }), 'a b'],
  [
    'the #! line',
    scriptOf({ inline: '#!/usr/bin/env bash\n[[ -n $BASH_VERSION ]] && echo bash' }),
    'bash',
  ],
  ['node by name', scriptOf({ inline: 'console.log(1 + 1)' }, { interpreter: 'node' }), '2'],
  ['bash by name', scriptOf({ inline: 'echo $((2 * 3))' }, { interpreter: 'bash' }), '6'],
  [
    'python3 by name',
    scriptOf(
      { inline: 'import sys; print(sys.argv[1:])' },
      { interpreter: 'python3', args: ['x'] },
    ),
    "['x']",
  ],
])('an inline script is run by %s', async (_name, assignment, expected) => {
  const { finished, output, errors } = await run(await startPair(), assignment)
  expect(errors).toBe('')
  expect(output).toContain(expected)
  expect(finished.outcome).toBe(AttemptOutcome.SUCCEEDED)
})

test('a script on the worker is run by its extension, executable or not', async () => {
  const pair = await startPair()
  const path = join(pair.dataDir, 'job.mjs')
  writeFileSync(path, 'console.log(import.meta.url.startsWith("file:"))', { mode: 0o600 })
  expect((await run(pair, scriptOf({ path }))).output).toBe('true\n')
})

test('a script on the worker may be executable and have a #! line', async () => {
  const pair = await startPair()
  const path = join(pair.dataDir, 'job')
  writeFileSync(path, '#!/bin/sh -e\nfalse\necho not reached\n', { mode: 0o700 })
  expect((await run(pair, scriptOf({ path }))).finished).toMatchObject({ exitCode: 1 })
})

test.each<[string, Assignment, RegExp]>([
  [
    'interpreter',
    scriptOf({ inline: 'x' }, { interpreter: 'fortran' }),
    /fortran is not installed/,
  ],
  ['script', scriptOf({ path: '/no/such/script.sh' }), /\/no\/such\/script.sh cannot be read/],
  [
    'working directory',
    assignmentOf({
      $case: 'shell',
      value: { command: 'true', env: {}, workingDirectory: '/no/such/folder', runAs: '' },
    }),
    /working directory \/no\/such\/folder does not exist/,
  ],
  [
    'user',
    assignmentOf({
      $case: 'shell',
      value: { command: 'id -un', env: {}, workingDirectory: '', runAs: 'no-such-user' },
    }),
    /run_as no-such-user/,
  ],
])('a missing %s is a start that failed, and says so', async (_name, assignment, message) => {
  const { finished } = await run(await startPair(), assignment)
  expect(finished).toMatchObject({ outcome: AttemptOutcome.START_FAILED, startTime: undefined })
  expect(finished.message).toMatch(/^START_FAILED: /)
  expect(finished.message).toMatch(message)
})

test('a shell that is not there is a start that failed', async () => {
  const pair = await startPair({ args: ['--shell', '/no/such/shell'] })
  const { finished } = await run(pair, shellOf('true'))
  expect(finished.message).toBe('START_FAILED: /no/such/shell does not exist on this worker')
})

test.runIf(process.getuid?.() === 0)('root runs a job as another user', async () => {
  const pair = await startPair()
  const value = {
    command: 'id -un; echo "$HOME" > /dev/null; pwd > mine; echo ok=1 > "$ROTA_OUTPUT"',
    env: {},
    workingDirectory: '',
    runAs: 'nobody',
  }
  // The user must be able to pass the folders above; in a data folder of 0700 the start fails.
  const refused = await run(pair, assignmentOf({ $case: 'shell', value }))
  expect(refused.finished.message).toMatch(/^START_FAILED: run_as nobody: this user may not pass /)
  chmodSync(pair.dataDir, 0o711)
  const { finished, output } = await run(pair, assignmentOf({ $case: 'shell', value }))
  expect(output).toBe('nobody\n')
  expect(finished).toMatchObject({ exitCode: 0, outputs: { ok: '1' } })
})

test('handlers give outputs, log, and fail with their exit code', async () => {
  const pair = await startPair()
  const echo = await run(pair, handlerOf('echo', { a: [1, { b: null }] }))
  expect(echo.finished).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    outputs: { a: [1, { b: null }] },
  })
  expect(echo.output).toBe('{"a":[1,{"b":null}]}\n')
  const fail = await run(pair, handlerOf('fail', { message: 'broken', exitCode: 4 }))
  expect(fail.finished).toMatchObject({
    outcome: AttemptOutcome.FAILED,
    exitCode: 4,
    message: 'HANDLER_FAILED: broken',
  })
})

test('a handler that returns what is no outputs fails, and only itself', async () => {
  const handlers = join(await temporaryDataDir(), 'handlers')
  mkdirSync(handlers)
  const code = `export const handlers = {
    number: async () => 5,
    big: async () => ({ n: 5n }),
    odd: async () => ({ day: new Date(0), nothing: undefined, f: () => 1 }),
  }`
  writeFileSync(join(handlers, 'odd.mjs'), code)
  const pair = await startPair({ args: ['--handlers-dir', handlers] })
  expect((await run(pair, handlerOf('number'))).finished.message).toMatch(
    /^HANDLER_FAILED: .*object/,
  )
  expect((await run(pair, handlerOf('big'))).finished.message).toMatch(/^HANDLER_FAILED: .*BigInt/)
  expect((await run(pair, handlerOf('odd'))).finished).toMatchObject({
    outcome: AttemptOutcome.SUCCEEDED,
    outputs: { day: '1970-01-01T00:00:00.000Z' },
  })
})

test('progress of a handler is reported while it runs', async () => {
  const pair = await startPair()
  await run(pair, handlerOf('log', { lines: 3, intervalMs: 600 }))
  const progress = pair.session.reports
    .flatMap((report) => report.progressed)
    .map((each) => each.progress)
  expect(progress.length).toBeGreaterThanOrEqual(2)
  expect(progress).toEqual([...progress].sort())
})

test('parameters and the due time are known to the job', async () => {
  const pair = await startPair()
  const assignment = shellOf('echo "$ROTA_PARAM_DAY $ROTA_SCHEDULED_FOR $ROTA_JOB $ROTA_ATTEMPT"', {
    parameters: { day: 'monday' },
    scheduledFor: new Date('2026-11-20T10:00:00Z'),
    attempt: 2,
  })
  expect((await run(pair, assignment)).output).toBe('monday 2026-11-20T10:00:00.000Z a-job 2\n')
})

test('a command that is too long for the host is a start that failed', async () => {
  const pair = await startPair()
  const { finished } = await run(pair, shellOf(`: ${'x'.repeat(140_000)}`))
  expect(finished satisfies Finished).toMatchObject({
    outcome: AttemptOutcome.START_FAILED,
    message: expect.stringMatching(/too long/),
  })
})

import { describe, expect, it } from 'vitest'
import type { JobFlags } from '../../../../../cli/commands/job/flags.ts'
import { changeTask, inferCommand } from '../../../../../cli/commands/job/task-flags.ts'
import { ShellTask, type Task } from '../../../../../proto/gen/rota/v1/job.ts'

type Kind = NonNullable<Task['kind']>

const FILES: Readonly<Record<string, string>> = {
  'report.py': 'print(1)\n',
  report: 'echo 1\n',
  shebang: '#!/usr/bin/env ruby\nputs 1\n',
  'body.json': '{"a": 1}',
  '-': '#!/bin/sh\necho stdin\n',
}
const change = (flags: JobFlags, base?: Kind) =>
  changeTask(base, flags, async (_option, path) => FILES[path] ?? '')

describe('--command', () => {
  it.each([
    ['date', 'shell'],
    ['echo http://example.com', 'shell'],
    ['script: is a word', 'script'],
    ['https://example.com/x', 'api'],
    ['HTTP://example.com', 'api'],
    ['httpd -k start', 'shell'],
    ['scripts/run.sh', 'shell'],
  ])('%j is of kind %s', (command, kind) => {
    expect(inferCommand(command).$case).toBe(kind)
  })

  it('takes all after script: as the path', () => {
    expect(inferCommand('script:/opt/my scripts/x.py')).toMatchObject({
      value: { source: { $case: 'path', value: '/opt/my scripts/x.py' } },
    })
    expect(() => inferCommand('script:')).toThrow('names no path')
  })

  it('keeps every character of a shell line', () => {
    const command = 'for i in 1 2; do echo "$i"; done # \n世界'
    expect(inferCommand(command)).toMatchObject({ value: { command } })
  })
})

describe('--script', () => {
  it.each([
    ['report.py', 'python3'],
    ['shebang', ''],
    ['-', ''],
  ])('sends %s with interpreter %j', async (script, interpreter) => {
    expect(await change({ script })).toMatchObject({
      $case: 'script',
      value: { source: { $case: 'inline', value: FILES[script] }, interpreter },
    })
  })

  it('needs to know what runs it', async () => {
    await expect(change({ script: 'report' })).rejects.toThrow('nothing says what runs report')
    expect(await change({ script: 'report', interpreter: 'bash', arg: ['a b'] })).toMatchObject({
      value: { interpreter: 'bash', args: ['a b'] },
    })
  })
})

describe('--url', () => {
  it('reads method, headers, body and codes', async () => {
    const task = await change({
      url: 'https://example.com',
      header: ['Authorization: Bearer a:b', 'X-Empty:'],
      body: '@body.json',
      expect: ['200,201', '204'],
    })
    expect(task).toMatchObject({
      $case: 'api',
      value: {
        method: 'POST',
        headers: { Authorization: 'Bearer a:b', 'X-Empty': '' },
        body: Buffer.from('{"a": 1}'),
        expectedStatusCodes: [200, 201, 204],
      },
    })
  })

  it('leaves the method to the coordinator when there is no body', async () => {
    expect(await change({ url: 'https://example.com' })).toMatchObject({ value: { method: '' } })
    expect(await change({ url: 'https://example.com', method: 'put', body: 'x' })).toMatchObject({
      value: { method: 'PUT' },
    })
  })

  it.each([
    [{ url: 'https://a.b', header: ['nonsense'] }, '--header'],
    [{ url: 'https://a.b', expect: ['2xx'] }, '--expect'],
    [{ url: 'https://a.b', expect: ['99'] }, '--expect'],
  ])('refuses %j', async (flags, option) => {
    await expect(change(flags)).rejects.toThrow(option)
  })
})

describe('--handler', () => {
  it('takes an object as its payload', async () => {
    expect(await change({ handler: 'sleep', payload: '{"durationMs": 5}' })).toEqual({
      $case: 'handler',
      value: { handler: 'sleep', payload: { durationMs: 5 } },
    })
  })

  it.each(['[1]', '5', '{"a":', 'null'])('refuses %s as payload', async (payload) => {
    await expect(change({ handler: 'sleep', payload })).rejects.toThrow('--payload')
  })
})

describe('options that do not go together', () => {
  it('are told apart by name', async () => {
    await expect(change({ command: 'date', url: 'https://a.b' })).rejects.toThrow(
      '--url: cannot be given with --command',
    )
    await expect(change({ command: 'date', header: ['a: b'] })).rejects.toThrow(
      '--header: does not go with a task of kind shell',
    )
    await expect(change({ env: ['A=1'] })).rejects.toThrow('--env: there is no task')
    await expect(change({ handler: 'noop', followRedirects: true })).rejects.toThrow(
      '--follow-redirects',
    )
  })
})

describe('options over a task that is there', () => {
  const shell: Kind = {
    $case: 'shell',
    value: ShellTask.fromPartial({ command: 'date', env: { A: '1' }, workingDirectory: '/tmp' }),
  }

  it('change nothing when none is given', async () => {
    expect(await change({ description: 'x' }, shell)).toBeUndefined()
  })

  it('keep what they do not name', async () => {
    expect(await change({ command: 'uptime' }, shell)).toMatchObject({
      value: { command: 'uptime', env: { A: '1' }, workingDirectory: '/tmp' },
    })
    expect(await change({ env: ['B=2'], cwd: 'none' }, shell)).toMatchObject({
      value: { command: 'date', env: { B: '2' }, workingDirectory: '' },
    })
    expect(await change({ env: ['none'] }, shell)).toMatchObject({ value: { env: {} } })
  })

  it('start anew when the kind changes', async () => {
    expect(await change({ command: 'https://a.b' }, shell)).toMatchObject({
      $case: 'api',
      value: { url: 'https://a.b', headers: {} },
    })
  })
})

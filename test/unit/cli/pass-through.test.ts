import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { AGENT, COORDINATOR, type Program } from '../../../shared/programs.ts'
import { rota } from '../../support/cli.ts'

/** What the CLI would become. */
async function becomes(...argv: string[]) {
  const started: { program: Program; args: readonly string[] }[] = []
  const result = await rota(argv, {
    become(program, args) {
      started.push({ program, args })
      return Promise.resolve(7)
    },
  })
  return { ...result, started }
}

/** Options that stand at the beginning of a line of the help. */
function optionsOf(help: string): string[] {
  const found = help.matchAll(/^ +(?:-h, )?(--[a-z-]+)/gm)
  return [...new Set([...found].map((match) => match[1] ?? ''))].sort()
}

describe('commands that become another program', () => {
  it('pass on what was given and leave the rest to it', async () => {
    const { exitCode, started } = await becomes(
      ...['server', 'start', '--grpc-port', '0', '--data-dir=/tmp/x y'],
    )
    expect(exitCode).toBe(7)
    expect(started.map(({ args }) => args)).toEqual([
      ['--data-dir', '/tmp/x y', '--grpc-port', '0'],
    ])
  })

  it.each([
    [['server', 'start'], 'coordinator/main.ts', []],
    [['agent', 'run', '--slots', '2'], 'agent/main.ts', ['run', '--slots', '2']],
    [['--data-dir', '/x', 'agent', 'run'], 'agent/main.ts', ['run', '--data-dir', '/x']],
    [['agent', 'join', '--name', 'w'], 'agent/main.ts', ['join', '--name', 'w']],
  ])('%j is %s', async (argv, script, args) => {
    const { started } = await becomes(...argv)
    expect(started).toMatchObject([{ args }])
    expect(started[0]?.program.script.pathname).toContain(script)
    expect(existsSync(started[0]!.program.script)).toBe(true)
  })

  it.each([
    [['server', 'start'], COORDINATOR],
    [['agent', 'run'], AGENT],
    [['agent', 'join'], AGENT],
  ])('%j takes every option that the program has, and no other', async (argv, program) => {
    const { stdout: help } = await rota([...argv, '--help'])
    const { stdout } = spawnSync(process.execPath, [fileURLToPath(program.script), '--help'], {
      encoding: 'utf8',
    })
    expect(optionsOf(help)).toEqual(optionsOf(stdout))
  })

  it('refuse what they do not know, with a guess', async () => {
    const { exitCode, started, stderr } = await becomes('server', 'start', '--grpc-prot', '1')
    expect(exitCode).toBe(2)
    expect(started).toEqual([])
    expect(stderr).toContain('Did you mean --grpc-port?')
  })
})

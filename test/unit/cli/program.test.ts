import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { buildProgram } from '../../../cli/program.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { rota } from '../../support/cli.ts'

const GROUPS = [
  ...['dev', 'server', 'agent', 'job', 'schedule', 'exec', 'worker', 'token', 'status', 'events'],
  'version',
]

/** Every command without subcommands, with the words that lead to it. */
async function leaves(): Promise<[string, Command][]> {
  const found: [string, Command][] = []
  const visit = (command: Command, words: string) => {
    if (command.commands.length === 0) found.push([words, command])
    for (const child of command.commands) visit(child, `${words} ${child.name()}`)
  }
  for (const group of GROUPS) {
    const program = await buildProgram([group], { host: unusedHost, exitCode: 0 })
    const command = program.commands.find((each) => each.name() === group)
    if (command !== undefined) visit(command, group)
  }
  return found
}

const unusedHost = {
  clock: systemClock,
  random: systemRandom,
  env: {},
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  interruptSignal: () => new AbortController().signal,
  become: () => Promise.reject(new Error('not wanted')),
}

describe('the help', () => {
  it('lists every command by group, on 80 columns, without loading any', async () => {
    const { stdout, exitCode } = await rota(['--help'])
    expect(exitCode).toBe(0)
    for (const group of GROUPS) expect(stdout).toMatch(new RegExp(`^ {2}${group} `, 'm'))
    expect(stdout).toContain('Jobs and runs:')
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('of every command has a description, two examples and the options that all have', async () => {
    const commands = await leaves()
    expect(commands.length).toBeGreaterThan(22)
    for (const [words, command] of commands) {
      const { stdout } = await rota([...words.split(' '), '--help'])
      expect(command.description(), words).toMatch(/^[A-Z].*\.$/s)
      const examples =
        stdout.slice(stdout.indexOf('\nExamples:')).match(/^ {2}.*\brota .*$/gm) ?? []
      expect(examples.length, words).toBeGreaterThanOrEqual(2)
      for (const example of examples) expect(example).toContain(`rota ${words}`)
      if (!/^(server|agent)/.test(words)) expect(stdout, words).toContain('--output <format>')
    }
  })

  it.each([
    [['help'], 'Usage: rota COMMAND'],
    [['help', 'job'], 'Usage: rota job'],
    [['job', 'help'], 'Usage: rota job'],
    [['job', 'help', 'create'], 'Usage: rota job create'],
  ])('answers %j', async (argv, usage) => {
    const { exitCode, stdout } = await rota(argv)
    expect(exitCode).toBe(0)
    expect(stdout).toContain(usage)
  })
})

describe('a command line that is not understood', () => {
  it.each([
    [['jbo', 'list'], "unknown command 'jbo'", 'Did you mean job?'],
    [['job', 'lsit'], "unknown command 'lsit'", 'Did you mean list?'],
    [
      ['job', 'create', 'x', '--comand', 'date'],
      "unknown option '--comand'",
      'Did you mean --command?',
    ],
    [['job', 'get'], "missing required argument 'name'", '--help'],
    [['job', 'get', 'a', 'b'], 'too many arguments', '--help'],
    [['job', 'list', '-o', 'jsn'], '--output: "jsn" is not known', 'Did you mean json'],
    [['job', 'list', '-o'], "option '-o, --output <format>' argument missing", '--help'],
  ])('%j ends with 2, says what and helps', async (argv, what, hint) => {
    const { exitCode, stdout, stderr } = await rota(argv)
    expect(exitCode).toBe(2)
    expect(stderr).toContain(`error: ${what}`)
    expect(stderr).toMatch(new RegExp(`^hint: .*${hint.replace('?', '\\?')}`, 'm'))
    expect(stdout).toBe('')
  })

  it('is told as a status when a program asks', async () => {
    const { exitCode, stdout } = await rota(['jbo', '-o', 'json'])
    expect(exitCode).toBe(2)
    expect(JSON.parse(stdout)).toMatchObject({ code: 3, message: "unknown command 'jbo'" })
  })

  it('without a command shows the help on stderr', async () => {
    const { exitCode, stdout, stderr } = await rota(['job'])
    expect(exitCode).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain('Usage: rota job')
  })
})

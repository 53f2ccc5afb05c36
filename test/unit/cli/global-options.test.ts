import { describe, expect, it } from 'vitest'
import { commandNames, machineFormat } from '../../../cli/global-options.ts'

describe('the command line before it is parsed', () => {
  it.each([
    [
      ['job', 'list'],
      ['job', 'list'],
    ],
    [
      ['-o', 'json', 'job', 'list'],
      ['job', 'list'],
    ],
    [['--output=json', '--no-color', 'job'], ['job']],
    [['--address', 'job', 'exec', '--help'], ['exec']],
    [['--help'], []],
  ])('finds the names of the command in %j', (argv, names) => {
    expect(commandNames(argv)).toEqual(names)
  })

  it.each([
    [['job', 'list', '-o', 'json'], 'json'],
    [['job', 'list', '-ojsonl'], 'jsonl'],
    [['job', 'list', '--output=yaml'], 'yaml'],
    [['--output', 'json', 'nonsense'], 'json'],
    [['job', 'list', '-o', 'table'], undefined],
    [['job', 'get', 'json'], undefined],
    [['job', 'list', '-o'], undefined],
  ])('finds the format for errors in %j', (argv, format) => {
    expect(machineFormat(argv)).toBe(format)
  })
})

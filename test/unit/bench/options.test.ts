import { describe, expect, it } from 'vitest'
import { readCommand } from '../../../bench/options.ts'
import { whyNoParts } from '../../../bench/scenario.ts'

const KNOWN = ['throughput', 'latency', 'shell']

describe('the command line of the benchmarks', () => {
  it('runs all scenarios when none is named, and named ones in their own order', () => {
    expect(readCommand([], KNOWN)).toMatchObject({ kind: 'run', scenarios: KNOWN })
    expect(readCommand(['shell', 'throughput'], KNOWN)).toMatchObject({
      scenarios: ['throughput', 'shell'],
    })
  })

  it('repeats five times, three when quick, or as often as told', () => {
    expect(readCommand([], KNOWN)).toMatchObject({ options: { runs: 5, isQuick: false } })
    expect(readCommand(['--quick', '--json'], KNOWN)).toMatchObject({
      options: { runs: 3, isQuick: true, isJson: true },
    })
    expect(readCommand(['--quick', '--runs', '7'], KNOWN)).toMatchObject({ options: { runs: 7 } })
  })

  it('refuses an unknown scenario and says which one may be meant', () => {
    const command = readCommand(['trougput'], KNOWN)
    expect(command).toMatchObject({ kind: 'wrong' })
    expect(command).toHaveProperty('hint', expect.stringContaining('Did you mean throughput?'))
  })

  it('names all scenarios when nothing is near', () => {
    const command = readCommand(['zzzzzz'], KNOWN)
    expect(command).toHaveProperty(
      'hint',
      'Scenarios: throughput, latency, shell, leases, next-time, schedules.',
    )
  })

  it('takes parts of a scenario, and refuses those that it does not have', () => {
    expect(readCommand(['--only', 'a,b'], KNOWN)).toMatchObject({ options: { only: ['a', 'b'] } })
    expect(readCommand([], KNOWN)).toMatchObject({ options: { only: undefined } })
    expect(whyNoParts('scale', { parts: ['a', 'b'] }, ['b'])).toBeUndefined()
    expect(whyNoParts('scale', { parts: ['a', 'b'] }, ['c'])).toContain('it has a, b')
    expect(whyNoParts('shell', {}, ['a'])).toContain('it has none')
    expect(whyNoParts('shell', {})).toBeUndefined()
  })

  it.each([
    [['--runs', '0']],
    [['--runs', 'many']],
    [['--jobs', '-5']],
    [['--jobs', '1.5']],
    [['--slots', '1001']],
    [['--fast']],
    [['--runs']],
  ])('refuses %j', (args) => {
    expect(readCommand(args, KNOWN)).toMatchObject({ kind: 'wrong' })
  })

  it('leaves the flags of leases to leases', () => {
    expect(readCommand(['leases', '--sessions', '5'], KNOWN)).toEqual({
      kind: 'alone',
      name: 'leases',
      args: ['--sessions', '5'],
    })
  })
})

describe('verbs', () => {
  it('profiles one scenario, without peers', () => {
    expect(readCommand(['profile', 'latency', '--save'], KNOWN)).toMatchObject({
      kind: 'profile',
      scenario: 'latency',
      isSaved: true,
      options: { hasPeers: false },
    })
    expect(readCommand(['profile'], KNOWN)).toMatchObject({ kind: 'wrong' })
    expect(readCommand(['profile', 'latency', 'shell'], KNOWN)).toMatchObject({ kind: 'wrong' })
    expect(readCommand(['profile', 'latencies'], KNOWN)).toHaveProperty(
      'hint',
      expect.stringContaining('latency'),
    )
  })

  it('writes no part of a scenario to the page', () => {
    expect(readCommand(['report', 'shell', '--only', 'a'], KNOWN)).toMatchObject({
      kind: 'wrong',
      message: '--only does not go with report',
    })
  })

  it('reports all or some, measured anew or not', () => {
    expect(readCommand(['report'], KNOWN)).toMatchObject({ scenarios: KNOWN, isMeasured: true })
    expect(readCommand(['report', 'shell', '--render'], KNOWN)).toMatchObject({
      kind: 'report',
      scenarios: ['shell'],
      isMeasured: false,
    })
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DependencyVerdict,
  dependencyVerdict,
  findCycle,
  type JobActivity,
} from '../../../../coordinator/job/dependencies.ts'
import {
  Dependency,
  Dependency_OnFailure,
  Dependency_When,
} from '../../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../../shared/duration.ts'

describe('findCycle', () => {
  const edges = new Map([
    ['report', ['load', 'clean']],
    ['load', ['fetch']],
    ['clean', ['fetch']],
    ['fetch', []],
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['a']],
    ['self', ['self']],
    ['outside', ['a']],
  ])

  test('finds none in a diamond', () => {
    expect(findCycle(edges, 'report')).toBeUndefined()
  })

  test('names the path, first and last the same', () => {
    expect(findCycle(edges, 'a')).toEqual(['a', 'b', 'c', 'a'])
    expect(findCycle(edges, 'self')).toEqual(['self', 'self'])
  })

  test('does not blame a job that only leads to a cycle', () => {
    expect(findCycle(edges, 'outside')).toBeUndefined()
  })

  test('takes a chain of a hundred thousand', () => {
    const chain = new Map(
      Array.from({ length: 100_000 }, (_, index) => [`${index}`, [`${index + 1}`]]),
    )
    expect(findCycle(chain, '0')).toBeUndefined()
    chain.set('99999', ['0'])
    expect(findCycle(chain, '0')).toHaveLength(100_001)
  })

  test('answers a path that exists, exactly when the start reaches itself', () => {
    const nodes = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const graphs = fc.dictionary(nodes, fc.array(nodes, { maxLength: 3 }))
    fc.assert(
      fc.property(graphs, nodes, (graph, start) => {
        const path = findCycle(new Map(Object.entries(graph)), start)
        expect(path !== undefined).toBe(reaches(graph, start, start))
        for (const [index, job] of (path ?? []).slice(0, -1).entries()) {
          expect(graph[job]).toContain(path?.[index + 1])
        }
        if (path !== undefined) expect([path[0], path.at(-1)]).toEqual([start, start])
      }),
    )
  })

  function reaches(graph: Record<string, string[]>, from: string, to: string): boolean {
    let reached = new Set(graph[from])
    for (let size = -1; size !== reached.size; ) {
      size = reached.size
      reached = new Set([...reached, ...[...reached].flatMap((job) => graph[job] ?? [])])
    }
    return reached.has(to)
  }
})

describe('dependencyVerdict', () => {
  const MARK = new Date('2026-11-20T10:00:00Z')
  const NOW = new Date('2026-11-20T12:00:00Z')
  const before = new Date('2026-11-20T09:00:00Z')
  const after = new Date('2026-11-20T11:00:00Z')
  const lastly = new Date('2026-11-20T11:30:00Z')

  function on(job: string, rest: Partial<Dependency> = {}): Dependency {
    return { ...Dependency.fromPartial({}), job: `jobs/${job}`, ...rest }
  }

  function verdict(
    dependencies: readonly Dependency[],
    activities: Record<string, JobActivity>,
  ): DependencyVerdict {
    return dependencyVerdict({
      dependencies,
      activities: new Map(Object.entries(activities)),
      mark: MARK,
      now: NOW,
    })
  }

  test('is ready when every dependency has succeeded since the mark', () => {
    const both = [on('a'), on('b')]
    expect(verdict(both, { a: { lastSucceededAt: after }, b: { lastSucceededAt: after } })).toEqual(
      {
        kind: 'ready',
      },
    )
  })

  test('waits for those that have not, by name', () => {
    const three = [on('a'), on('b'), on('c')]
    const activities = { a: { lastSucceededAt: after }, b: { lastSucceededAt: before } }
    expect(verdict(three, activities)).toEqual({ kind: 'waiting', on: ['b', 'c'] })
  })

  test('does not use a completion at the mark again', () => {
    expect(verdict([on('a')], { a: { lastSucceededAt: MARK } }).kind).toBe('waiting')
  })

  test('with freshness counts older completions too, within it', () => {
    const fresh = (hours: number) => on('a', { freshness: durationFromMs(hours * 3_600_000) })
    expect(verdict([fresh(4)], { a: { lastSucceededAt: before } }).kind).toBe('ready')
    expect(verdict([fresh(3)], { a: { lastSucceededAt: before } }).kind).toBe('waiting')
    expect(verdict([fresh(0.5)], { a: { lastSucceededAt: after } }).kind).toBe('waiting')
  })

  test.each([
    [Dependency_When.UNSPECIFIED, { lastSucceededAt: after }, 'ready'],
    [Dependency_When.SUCCEEDED, { lastSucceededAt: after }, 'ready'],
    [Dependency_When.SUCCEEDED, { lastFailedAt: after }, 'waiting'],
    [Dependency_When.FAILED, { lastFailedAt: after }, 'ready'],
    [Dependency_When.FAILED, { lastSucceededAt: after }, 'waiting'],
    [Dependency_When.COMPLETED, { lastSucceededAt: after }, 'ready'],
    [Dependency_When.COMPLETED, { lastFailedAt: after }, 'ready'],
    [Dependency_When.COMPLETED, { lastFailedAt: before }, 'waiting'],
    [Dependency_When.COMPLETED, {}, 'waiting'],
  ])('when %i with %o is %s', (when, activity, kind) => {
    expect(verdict([on('a', { when })], { a: activity }).kind).toBe(kind)
  })

  test.each([
    [Dependency_OnFailure.UNSPECIFIED, 'waiting'],
    [Dependency_OnFailure.WAIT, 'waiting'],
    [Dependency_OnFailure.FAIL, 'failed'],
    [Dependency_OnFailure.RUN, 'ready'],
  ])('a failure since the mark under on_failure %i is %s', (onFailure, kind) => {
    const dependency = on('a', { onFailure })
    expect(verdict([dependency], { a: { lastFailedAt: after } }).kind).toBe(kind)
    expect(verdict([dependency], { a: { lastFailedAt: MARK } }).kind).toBe('waiting')
  })

  test('a success heals an earlier failure, and a later failure does not take it back', () => {
    const strict = on('a', { onFailure: Dependency_OnFailure.FAIL })
    expect(verdict([strict], { a: { lastFailedAt: after, lastSucceededAt: lastly } }).kind).toBe(
      'ready',
    )
    expect(verdict([strict], { a: { lastSucceededAt: after, lastFailedAt: lastly } }).kind).toBe(
      'ready',
    )
    const failure = { lastSucceededAt: before, lastFailedAt: after }
    expect(verdict([strict], { a: failure })).toEqual({ kind: 'failed', on: 'a' })
  })

  test('a failure decides at once, whatever else is waited for', () => {
    const strict = on('b', { onFailure: Dependency_OnFailure.FAIL })
    expect(verdict([on('a'), strict], { b: { lastFailedAt: after } })).toEqual({
      kind: 'failed',
      on: 'b',
    })
  })

  test('without dependencies everything is ready', () => {
    expect(verdict([], {})).toEqual({ kind: 'ready' })
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type UpcomingSource,
  type UpcomingSpan,
  UpcomingTimes,
} from '../../../../coordinator/outlook/merge-upcoming.ts'

/** Due at these times. */
function source(job: string, times: readonly number[], markMs = -1): UpcomingSource {
  const sorted = [...times].sort((a, b) => a - b)
  return { job, markMs, walk: { next: (after) => sorted.find((at) => at > after) ?? Infinity } }
}

function takeAll(sources: readonly UpcomingSource[], span: UpcomingSpan, count = Infinity) {
  const times = new UpcomingTimes(sources, span)
  const taken: string[] = []
  while (taken.length < count) {
    const time = times.take()
    if (time === undefined) break
    taken.push(`${time.atMs} ${time.source.job}`)
  }
  return { taken, openCount: times.openCount, head: times.head?.atMs }
}

const sources = fc.uniqueArray(
  fc.record({
    job: fc.string({ minLength: 1, maxLength: 2 }),
    times: fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 20 }),
    markMs: fc.integer({ min: -1, max: 30 }),
  }),
  { selector: ({ job }) => job, maxLength: 12 },
)
const window = fc.record({
  startMs: fc.integer({ min: 0, max: 50 }),
  endMs: fc.integer({ min: 0, max: 60 }),
})

test('all times of the window come, in order of time then job, whatever the order of the schedules', () => {
  fc.assert(
    fc.property(sources, window, (all, span) => {
      const expected = all
        .flatMap(({ job, times, markMs }) =>
          times.filter((at) => at > markMs).map((at) => ({ at, job })),
        )
        .filter(({ at }) => at >= span.startMs && at < span.endMs)
        .sort((a, b) => a.at - b.at || (a.job < b.job ? -1 : 1))
        .map(({ at, job }) => `${at} ${job}`)
      const made = all.map(({ job, times, markMs }) => source(job, times, markMs))
      expect(takeAll(made, span).taken).toEqual(expected)
      expect(takeAll(made.reverse(), span).taken).toEqual(expected)
    }),
  )
})

test('a page that begins behind the last one of the page before goes on where that ended', () => {
  fc.assert(
    fc.property(sources, window, fc.integer({ min: 1, max: 4 }), (all, span, size) => {
      const made = all.map(({ job, times, markMs }) => source(job, times, markMs))
      const pages: string[] = []
      let after: UpcomingSpan['after']
      for (;;) {
        const { taken } = takeAll(made, { ...span, after }, size)
        pages.push(...taken)
        const last = taken.at(-1)
        if (last === undefined) break
        const at = last.indexOf(' ')
        after = { atMs: Number(last.slice(0, at)), job: last.slice(at + 1) }
      }
      expect(pages).toEqual(takeAll(made, span).taken)
    }),
  )
})

test('who stops early is told how many schedules have more, and from when', () => {
  const made = [source('a', [1, 5]), source('b', [2]), source('c', [9])]
  expect(takeAll(made, { startMs: 0, endMs: 10 }, 2)).toEqual({
    taken: ['1 a', '2 b'],
    openCount: 2,
    head: 5,
  })
  expect(takeAll(made, { startMs: 0, endMs: 10 })).toMatchObject({ openCount: 0, head: undefined })
})

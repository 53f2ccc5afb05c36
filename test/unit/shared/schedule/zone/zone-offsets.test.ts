import { expect, test } from 'vitest'
import { ZoneOffsets } from '../../../../../shared/schedule/zone/zone-offsets.ts'

const at = (text: string) => Date.parse(text) / 1_000

test('a stretch has its real ends, whatever the order of the questions', () => {
  const zone = new ZoneOffsets('Europe/Paris')
  const winter = {
    start: at('2026-10-25T01:00:00Z'),
    end: at('2027-03-28T01:00:00Z'),
    offset: 3_600,
    offsetBefore: 7_200,
    offsetAfter: 7_200,
  }
  for (const time of ['2026-10-25T01:00:00Z', '2027-03-28T00:59:59Z', '2026-12-24T18:00:00Z']) {
    expect(zone.stretchAt(at(time))).toEqual(winter)
    expect(new ZoneOffsets('Europe/Paris').stretchAt(at(time))).toEqual(winter)
  }
  expect(zone.stretchAt(winter.end).start).toBe(winter.end)
})

test('a zone without changes is one stretch', () => {
  expect(new ZoneOffsets('UTC').stretchAt(0)).toMatchObject({
    start: -Infinity,
    end: Infinity,
    offset: 0,
  })
})

test('stretches follow each other without a hole over the ends of pages', () => {
  for (const name of ['Australia/Lord_Howe', 'Africa/Casablanca', 'America/New_York']) {
    const zone = new ZoneOffsets(name)
    let stretch = zone.stretchAt(at('1969-06-01T00:00:00Z'))
    while (stretch.end < at('2110-01-01T00:00:00Z')) {
      const next = zone.stretchAt(stretch.end)
      expect([next.start, next.offsetBefore, stretch.offsetAfter]).toEqual([
        stretch.end,
        stretch.offset,
        next.offset,
      ])
      stretch = next
    }
  }
})

test('no stretch of 1970 to 2037 is shorter than a change can be: next-instant.ts looks at one change at a time', () => {
  const dayS = 86_400
  const short = Intl.supportedValuesOf('timeZone').flatMap((name) => {
    const zone = new ZoneOffsets(name)
    const found: string[] = []
    for (let time = at('1970-01-01T00:00:00Z'); time < at('2038-01-01T00:00:00Z'); ) {
      const { start, end } = zone.stretchAt(time)
      if (end - start < 2 * dayS) found.push(`${name} ${start}`)
      time = end
    }
    return found
  })
  expect(short).toEqual([])
})

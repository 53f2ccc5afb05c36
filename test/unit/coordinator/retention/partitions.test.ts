import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  expiredPartitions,
  wantedPartitions,
} from '../../../../coordinator/retention/partitions.ts'

const DAY_MS = 86_400_000
const days = fc.date({
  min: new Date('2020-01-01T00:00:00Z'),
  max: new Date('2090-01-01T00:00:00Z'),
  noInvalidDate: true,
})

test('the wanted partitions are whole days without a gap, from today a week ahead', () => {
  fc.assert(
    fc.property(days, (now) => {
      const wanted = wantedPartitions('attempt', now)
      expect(Date.parse(wanted[0]!.from)).toBeLessThanOrEqual(now.getTime())
      expect(Date.parse(wanted[0]!.to)).toBeGreaterThan(now.getTime())
      expect(Date.parse(wanted.at(-1)!.from) - now.getTime()).toBeGreaterThan(6 * DAY_MS)
      for (const [index, { from, to }] of wanted.entries()) {
        expect(Date.parse(to) - Date.parse(from)).toBe(DAY_MS)
        if (index > 0) expect(from).toBe(wanted[index - 1]!.to)
      }
    }),
  )
})

test('a partition expires when all of it is older than what is kept, and never before', () => {
  fc.assert(
    fc.property(days, fc.nat({ max: 60 }), fc.integer({ min: 1, max: 40 }), (now, age, keep) => {
      const [partition] = wantedPartitions('attempt', new Date(now.getTime() - age * DAY_MS))
      const keepMs = keep * DAY_MS
      const expired = expiredPartitions('attempt', [partition!.name], { now, keepMs })
      const isOld = Date.parse(partition!.to) <= now.getTime() - keepMs
      expect(expired).toEqual(isOld ? [partition!.name] : [])
    }),
  )
})

test('a default partition and those of other tables are left alone', () => {
  const options = { now: new Date('2031-01-01T00:00:00Z'), keepMs: DAY_MS }
  const names = ['attempt_default', 'log_chunk_20200101', 'attempt_20200101']
  expect(expiredPartitions('attempt', names, options)).toEqual(['attempt_20200101'])
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from '../../../../agent/report/journal-records.ts'

const RECORD: JournalRecord = {
  type: 'acknowledged',
  execution: 'executions/x',
  epoch: '9007199254740993',
  atMs: 5,
}

test('a record is read as it was written', () => {
  expect(decodeRecord(encodeRecord(RECORD).trimEnd())).toEqual(RECORD)
})

test('a changed character is noticed', () => {
  const line = encodeRecord(RECORD).trimEnd()
  fc.assert(
    fc.property(fc.nat(line.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
      const changed = line.slice(0, at) + char + line.slice(at + 1)
      expect(decodeRecord(changed)).toEqual(changed === line ? RECORD : undefined)
    }),
  )
})

test('anything else is no record', () => {
  fc.assert(fc.property(fc.string(), (text) => decodeRecord(text) === undefined))
})

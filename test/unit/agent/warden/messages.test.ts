import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeLine, LINE_BYTES_MAX, LineReader } from '../../../../agent/warden/messages.ts'

test('lines come out whole and in order, however a socket cuts them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' })),
      fc.infiniteStream(fc.nat(7)),
      (keys, cuts) => {
        const messages = keys.map((key) => ({ type: 'forget', key }) as const)
        const bytes = Buffer.from(messages.map(encodeLine).join(''))
        const reader = new LineReader()
        const lines: string[] = []
        for (let start = 0; start < bytes.length; ) {
          const end = start + 1 + Number(cuts.next().value)
          lines.push(...reader.read(bytes.subarray(start, end)))
          start = end
        }
        // A lone half of a character is escaped by JSON, so it survives too.
        expect(lines.map((line) => JSON.parse(line))).toEqual(messages)
      },
    ),
  )
})

test('a line without an end is not collected for ever', () => {
  const reader = new LineReader()
  const piece = Buffer.alloc(LINE_BYTES_MAX / 4, 'x')
  for (let index = 0; index < 4; index++) expect(reader.read(piece)).toEqual([])
  expect(() => reader.read(piece)).toThrow(/a line of more than/)
})

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Column, renderTable } from '../../../../cli/output/table.ts'
import { displayWidth } from '../../../../cli/output/text.ts'

interface Row {
  readonly name: string
  readonly state: string
  readonly note: string
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name, shrinkTo: 8 },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'NOTE', value: ({ note }) => note, shrinkTo: 6 },
]

describe('tables', () => {
  it('stand under their titles without borders, blanks as a dash', () => {
    const rows = [
      { name: 'backup', state: 'active', note: '' },
      { name: 'x', state: 'paused', note: 'disk is full' },
    ]
    expect(renderTable(COLUMNS, rows, 80)).toBe(
      'NAME    STATE   NOTE\nbackup  active  -\nx       paused  disk is full\n',
    )
  })

  it('cut the widest column that may be cut, and no other', () => {
    const rows = [{ name: 'short', state: 'a-long-state-that-matters', note: 'n'.repeat(80) }]
    const lines = renderTable(COLUMNS, rows, 50).trimEnd().split('\n')
    expect(lines.map(displayWidth)).toEqual([expect.any(Number), 50])
    expect(lines[1]).toContain('short  a-long-state-that-matters  nnn')
    expect(lines[1]).toMatch(/n…$/)
  })

  it('cut nothing when there is no width, for whoever greps', () => {
    const rows = [{ name: 'n'.repeat(300), state: 'active', note: 'x'.repeat(300) }]
    expect(renderTable(COLUMNS, rows, undefined)).toContain('x'.repeat(300))
  })

  it('never let a cell break a line or colour the rest', () => {
    const rows = [{ name: 'a\nb\u001b[31m', state: 'active', note: '' }]
    expect(renderTable(COLUMNS, rows, 80).split('\n')).toHaveLength(3)
  })

  it('pad before they paint', () => {
    const painted: Column<Row>[] = [
      { title: 'STATE', value: ({ state }) => state, paint: (_row, cell) => `<${cell}>` },
      { title: 'NAME', value: ({ name }) => name, align: 'right' },
    ]
    const rows = [
      { name: 'a', state: 'ok', note: '' },
      { name: 'long', state: 'broken', note: '' },
    ]
    expect(renderTable(painted, rows, 80)).toBe('STATE   NAME\n<ok    >     a\n<broken>  long\n')
  })

  it('fit 80 columns whatever the words, as long as what may shrink is enough', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            name: fc.string({ unit: 'grapheme', maxLength: 120 }),
            state: fc.constantFrom('active', 'paused'),
            note: fc.string({ unit: 'binary', maxLength: 120 }),
          }),
          { maxLength: 5 },
        ),
        (rows) => {
          for (const line of renderTable(COLUMNS, rows, 80).trimEnd().split('\n')) {
            expect(displayWidth(line)).toBeLessThanOrEqual(80)
          }
        },
      ),
      { numRuns: 50 },
    )
  })
})

import { describe, expect, it } from 'vitest'
import { renderDetails } from '../../../../cli/output/details.ts'

describe('details', () => {
  it('stand in one column, without what is not known', () => {
    const text = renderDetails(
      [
        ['job', 'backup'],
        ['description', ''],
        ['next run', undefined],
        ['state', 'active'],
      ],
      80,
    )
    expect(text).toBe('job    backup\nstate  active\n')
  })

  it('wrap below themselves and keep their own lines', () => {
    const text = renderDetails(
      [
        ['task', 'one two three four five six'],
        ['env', 'A=1\nB=2'],
      ],
      26,
    )
    expect(text).toBe('task  one two three four\n      five six\nenv   A=1\n      B=2\n')
  })

  it('show control characters, and paint afterwards', () => {
    const text = renderDetails([['state', 'a\u001bb', (line) => `<${line}>`]], undefined)
    expect(text).toBe('state  <a\\x1bb>\n')
  })
})

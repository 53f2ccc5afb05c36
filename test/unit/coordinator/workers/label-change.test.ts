import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changeOverlay, type LabelOverlay } from '../../../../coordinator/workers/label-change.ts'

type Labels = Readonly<Record<string, string>>

/** As the statements do it. */
function overlaid(given: Labels, overlay: LabelOverlay): Labels {
  const all = Object.entries({ ...given, ...overlay })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null))
}

const aKey = fc.constantFrom('region', 'tier', 'zone', '__proto__', 'constructor')
const aValue = fc.constantFrom('a', 'b', '')
const someLabels = fc
  .array(fc.tuple(aKey, aValue))
  .map((entries): Labels => Object.fromEntries(entries))
const anOverlay = fc
  .array(fc.tuple(aKey, fc.option(aValue)))
  .map((entries): LabelOverlay => Object.fromEntries(entries))

describe('changing the labels of a worker', () => {
  it('to all of a set leaves exactly that set', () => {
    fc.assert(
      fc.property(someLabels, anOverlay, someLabels, (given, before, labels) => {
        const overlay = changeOverlay(before, given, { kind: 'all', labels })
        expect(overlaid(given, overlay)).toEqual(labels)
      }),
    )
  })

  it('one by one leaves all others as they were', () => {
    fc.assert(
      fc.property(someLabels, anOverlay, aKey, fc.option(aValue), (given, before, key, value) => {
        const values = new Map([[key, value ?? undefined]])
        const overlay = changeOverlay(before, given, { kind: 'some', values })
        const expected = new Map(Object.entries(overlaid(given, before)))
        if (value === null) expected.delete(key)
        else expected.set(key, value)
        expect(new Map(Object.entries(overlaid(given, overlay)))).toEqual(expected)
      }),
    )
  })

  it('keeps what an operator said when the agent says something else later', () => {
    const values = new Map([['region', 'eu']])
    const overlay = changeOverlay({}, { region: 'eu' }, { kind: 'some', values })
    expect(overlaid({ region: 'us' }, overlay)).toEqual({ region: 'eu' })
    const replaced = changeOverlay({}, { region: 'eu' }, { kind: 'all', labels: { region: 'eu' } })
    expect(replaced).toEqual({})
  })
})

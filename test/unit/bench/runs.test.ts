import { describe, expect, it } from 'vitest'
import { countLines } from '../../../bench/cluster/runs.ts'

const BATCH = { from: 10, to: 13 }

describe('what agents have counted', () => {
  it('counts each number once, and those that ran again', () => {
    const text = '10 1.5\n11 2.5\n10 3.5\n10 4\n'
    expect(countLines(text, BATCH)).toEqual({
      distinct: 2,
      repeated: 1,
      startedMs: new Map([
        [10, 1.5],
        [11, 2.5],
      ]),
    })
  })

  it('leaves other batches and half-written lines alone', () => {
    expect(countLines('9 1\n13 1\nundefined 1\n\n12 1\n', BATCH)).toMatchObject({
      distinct: 1,
      repeated: 0,
    })
  })
})

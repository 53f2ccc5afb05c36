import { describe, expect, it } from 'vitest'
import { createCrowdPace } from '../../../../coordinator/schedule/crowd-pace.ts'
import { createFakeClock } from '../../../support/fake-clock.ts'

const CROWD = { batch: 500, lanes: 2 }

describe('the pace of a crowd', () => {
  it('is that of the slots that are free, shared by the transactions of a round', async () => {
    const pace = (freeSlots: number) =>
      createCrowdPace(createFakeClock(), { ...CROWD, freeSlots: () => freeSlots })()
    expect(await pace(600)).toBe(300)
    expect(await pace(5_000)).toBe(500)
  })

  it('waits a moment for them', async () => {
    const clock = createFakeClock()
    let freeSlots = 0
    const limit = createCrowdPace(clock, { ...CROWD, freeSlots: () => freeSlots })()
    await clock.advance(20)
    freeSlots = 800
    await clock.advance(10)
    expect(await limit).toBe(400)
  })

  it('does not wait again and again where none become free', async () => {
    const clock = createFakeClock()
    const pace = createCrowdPace(clock, { ...CROWD, freeSlots: () => 0 })
    const first = pace()
    await clock.advance(100)
    expect(await first).toBe(500)
    for (let round = 0; round < 10; round++) expect(await pace()).toBe(500)
  })
})

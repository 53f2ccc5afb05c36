/**
 * Twelve faults on one cluster of real processes, with a lease as short as leaves a second or two for a busy machine (finding
 * a coordinator that swallows everything costs half a lease and 2 s), and every invariant over all that they did. How
 * long recoveries take is reported by `npm run faults`; here only what comes of them is judged.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CATALOGUE } from './catalogue/catalogue.ts'
import { USUAL_SHAPE } from './cluster/shape.ts'
import { shorten } from './invariants/judge.ts'
import { openScene, type Scene } from './run/scene.ts'

const SMOKE = [
  'agent-killed',
  'warden-killed',
  'host-lost',
  'coordinator-killed',
  'coordinator-stopped',
  'coordinator-black-holed',
  'cut-short',
  'half-open',
  'corruption',
  'postgres-killed',
  'postgres-backend-killed',
  'setsid-daemon',
]

// What it needs to see processes and to kill them is Linux.
describe.skipIf(process.platform !== 'linux')('a cluster under load', () => {
  let scene: Scene

  beforeAll(async () => {
    scene = await openScene({ ...USUAL_SHAPE, agents: 3, leaseMs: 5_000 })
  })
  afterAll(async () => {
    await scene?.stop()
  })

  it.each(SMOKE)('survives %s', async (name) => {
    const fault = CATALOGUE.find((each) => each.name === name)
    if (fault === undefined) throw new Error(`the catalogue has no ${name}`)
    const { problems } = await scene.play(fault)
    expect(shorten(problems)).toEqual([])
  })

  it('has kept every promise when it comes to rest', async () => {
    const { judgements, problems } = await scene.conclude()
    expect(shorten(problems)).toEqual([])
    expect(judgements.length).toBeGreaterThan(10)
  })
})

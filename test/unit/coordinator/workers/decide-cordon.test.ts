import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { WorkerId } from '../../../../coordinator/job/execution.ts'
import type { PlacementNeeds } from '../../../../coordinator/job/placement.ts'
import {
  type CordonContext,
  decideCordon,
  type FleetMember,
  type JobEvidence,
} from '../../../../coordinator/workers/decide-cordon.ts'

const SUSPECT = 1 as WorkerId
const WINDOW = '15m'

function member(id: number, change: Partial<FleetMember> = {}): FleetMember {
  return {
    id: id as WorkerId,
    name: `worker-${id}`,
    capabilities: new Set(['shell']),
    handlers: new Set(),
    labels: {},
    slots: 4,
    isActive: true,
    isCordonedByRota: false,
    ...change,
  }
}

function fleetOf(size: number): FleetMember[] {
  return Array.from({ length: size }, (_, index) => member(index + 1))
}

function needs(change: Partial<PlacementNeeds> = {}): PlacementNeeds {
  return { capabilities: ['shell'], selector: '', worker: '', slots: 1, ...change }
}

function evidence(job: string, change: Partial<JobEvidence> = {}): JobEvidence {
  const counts = { failedHere: 3, succeededHere: 0, failedElsewhere: 0, succeededElsewhere: 7 }
  return { job, ...counts, ...change }
}

const decide = (own: readonly JobEvidence[], context: Partial<CordonContext> = {}) =>
  decideCordon(
    { workerId: SUSPECT, evidence: own, window: WINDOW },
    { fleet: fleetOf(5), needs: [needs()], ...context },
  )

const TWO = [evidence('backup'), evidence('report', { failedHere: 2 })]

describe('a worker where jobs fail that succeed elsewhere', () => {
  it('is cordoned, and the evidence says which jobs and how often', () => {
    expect(decide(TWO)).toEqual({
      kind: 'cordon',
      reason:
        '5 attempts of 2 jobs failed here within 15m and none succeeded, while the same jobs succeed elsewhere: ' +
        'backup (3 failed here, 7 succeeded elsewhere), report (2 failed here, 7 succeeded elsewhere)',
    })
  })

  it('names the worst five of many jobs', () => {
    const many = Array.from({ length: 9 }, (_, index) =>
      evidence(`job-${index}`, { failedHere: index + 1 }),
    )
    const decision = decide(many)
    expect(decision).toMatchObject({ kind: 'cordon' })
    const { reason } = decision as { reason: string }
    expect(reason).toContain('45 attempts of 9 jobs')
    expect(reason).toContain('job-8 (9 failed here')
    expect(reason).not.toContain('job-3 ')
    expect(reason).toMatch(/, and 4 more$/)
  })

  it.each([
    ['only one job fails here', [evidence('backup', { failedHere: 50 })]],
    ['few attempts failed', [evidence('a', { failedHere: 2 }), evidence('b', { failedHere: 2 })]],
    ['the jobs succeed here too', TWO.map((each) => ({ ...each, succeededHere: 1 }))],
    ['the jobs succeed nowhere', TWO.map((each) => ({ ...each, succeededElsewhere: 0 }))],
    ['the jobs fail elsewhere as often', TWO.map((each) => ({ ...each, failedElsewhere: 7 }))],
    ['nothing is known', []],
  ])('is left alone when %s', (_, own) => {
    expect(decide(own)).toEqual({ kind: 'innocent' })
  })
})

describe('what the cluster could not bear', () => {
  it('is losing more than 30 % of its active workers to Rota', () => {
    expect(decide(TWO, { fleet: fleetOf(3) })).toMatchObject({
      kind: 'spared',
      because: 'of 3 workers no more than 30 % are cordoned by Rota itself',
    })
    const one = member(9, { isActive: false, isCordonedByRota: true })
    expect(decide(TWO, { fleet: [...fleetOf(5), one] }).kind).toBe('spared')
    expect(decide(TWO, { fleet: [...fleetOf(6), one] }).kind).toBe('cordon')
  })

  it('is never more, whatever the fleet is like', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20 }), fc.nat({ max: 20 }), (active, cordoned) => {
        const gone = Array.from({ length: cordoned }, (_, index) =>
          member(100 + index, { isActive: false, isCordonedByRota: true }),
        )
        const { kind } = decide(TWO, { fleet: [...fleetOf(active + 1), ...gone] })
        const share = (cordoned + 1) / (active + 1 + cordoned)
        expect(kind === 'cordon').toBe(share <= 0.3)
      }),
    )
  })

  it('is losing the last one that can run something', () => {
    const [suspect, ...others] = fleetOf(5)
    const skilled = { ...suspect!, capabilities: new Set(['shell', 'gpu']), slots: 8 }
    const context = { fleet: [skilled, ...others] }
    const gpu = needs({ capabilities: ['gpu'] })
    expect(decide(TWO, { ...context, needs: [needs(), gpu] })).toMatchObject({
      kind: 'spared',
      because: 'no other worker can run what needs gpu',
    })
    expect(decide(TWO, { ...context, needs: [needs({ slots: 8 })] })).toMatchObject({
      because: 'no other worker can run what needs shell, 8 slots',
    })
    expect(decide(TWO, { ...context, needs: [needs({ worker: 'worker-1' })] }).kind).toBe('spared')
    expect(decide(TWO, { ...context, needs: [needs({ worker: 'worker-2' })] }).kind).toBe('cordon')
    const offline = { fleet: [suspect!, ...others.map((one) => ({ ...one, isActive: false }))] }
    expect(decide(TWO, offline).kind).toBe('spared')
  })

  it('is no worker that has gone', () => {
    expect(decide(TWO, { fleet: fleetOf(5).slice(1) })).toMatchObject({ kind: 'spared' })
  })
})

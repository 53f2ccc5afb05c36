import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PlacementNeeds } from '../../../../coordinator/job/placement.ts'
import { HEALTHS } from '../../../../coordinator/job/worker-health.ts'
import {
  explainPlacement,
  fitOf,
  type PlacedWorker,
} from '../../../../coordinator/workers/explain-placement.ts'

function worker(name: string, change: Partial<PlacedWorker> = {}): PlacedWorker {
  return {
    name,
    capabilities: new Set(['shell']),
    handlers: new Set(),
    labels: {},
    state: 'active',
    stateReason: '',
    health: 'healthy',
    slots: 4,
    usedSlots: 0,
    inFlight: 0,
    ...change,
  }
}

function needs(change: Partial<PlacementNeeds> = {}): PlacementNeeds {
  return { capabilities: ['shell'], selector: '', worker: '', slots: 1, ...change }
}

const GPU = { capabilities: new Set(['shell', 'gpu']) }
const message = (wanted: PlacementNeeds, ...workers: PlacedWorker[]) =>
  explainPlacement(wanted, workers).reason

describe('an execution that no worker can run', () => {
  it('is explained by the nearest misses and the state of the cluster', () => {
    const found = message(
      needs({ capabilities: ['gpu', 'shell'], selector: 'region = eu' }),
      worker('far', { capabilities: new Set() }),
      worker('near', { ...GPU, labels: { region: 'us' } }),
      worker('off', { ...GPU, health: 'offline' }),
      worker('mid', { state: 'cordoned', labels: { region: 'eu' } }),
    )
    expect(found).toEqual({
      code: 'NO_ELIGIBLE_WORKER',
      message:
        'no worker has what it needs (gpu, shell; labels region = eu). Nearest: ' +
        'mid lacks the capability gpu; The labels of near do not match region = eu; ' +
        'The labels of off do not match region = eu; and 1 more. ' +
        'The cluster: 4 workers, 3 healthy, 1 offline; 1 cordoned.',
    })
  })

  it('is explained by those that could, and why they do not', () => {
    const explained = explainPlacement(needs({ capabilities: ['gpu'] }), [
      worker('gpu-1', { ...GPU, state: 'cordoned', stateReason: 'new disk', usedSlots: 1 }),
      worker('gpu-2', { ...GPU, health: 'offline' }),
      worker('gpu-3', { ...GPU, health: 'unresponsive', state: 'draining' }),
      worker('plain'),
    ])
    expect(explained.reason?.message).toBe(
      '3 workers could run it and none is available: gpu-1 (cordoned: new disk; healthy, 3 of 4 slots free); ' +
        'gpu-3 (draining; unresponsive); gpu-2 (offline). ' +
        'The cluster: 4 workers, 2 healthy, 1 unresponsive, 1 offline; 1 cordoned, 1 draining.',
    )
    expect(explained.remedies).toEqual([
      'Put gpu-1 back into service: rota worker release gpu-1',
      'Put gpu-3 back into service: rota worker release gpu-3',
      'Start the agent of gpu-2, which is offline, or mend its network.',
      'Add a worker that has gpu, or change the placement of the job.',
    ])
  })

  it('says so of an empty cluster, and of too few slots', () => {
    expect(message(needs({ slots: 8 }))?.message).toBe(
      'no worker has what it needs (shell; 8 slots). The cluster has no workers.',
    )
    expect(message(needs({ slots: 8 }), worker('small'))?.message).toContain(
      'Nearest: small has 4 slots, it needs 8.',
    )
    expect(message(needs({ worker: 'other' }), worker('one'))?.message).toContain(
      'no worker has what it needs (only other; shell). Nearest: It runs on other only.',
    )
  })
})

describe('an execution that waits for a slot', () => {
  it('is told who is busy', () => {
    const found = message(
      needs(),
      worker('one', { usedSlots: 4 }),
      worker('two', { health: 'degraded', usedSlots: 1, inFlight: 1 }),
      worker('three', { health: 'offline' }),
    )
    expect(found).toEqual({
      code: 'NO_FREE_SLOT',
      message:
        'every worker that can run it is busy: one (4 of 4 slots used); ' +
        'two (degraded: it gets one execution at a time); three (offline). ' +
        'The cluster: 3 workers, 1 healthy, 1 degraded, 1 offline.',
    })
  })

  it('needs no explanation when one is free', () => {
    expect(message(needs(), worker('one', { usedSlots: 4 }), worker('two'))).toBeUndefined()
    expect(message(needs(), worker('probed', { health: 'degraded' }))).toBeUndefined()
  })
})

it('whatever the fleet: the nearest come first, and the text stays short', () => {
  const aWorker = fc
    .record({
      health: fc.constantFrom(...HEALTHS),
      state: fc.constantFrom('active', 'cordoned', 'draining', 'drained'),
      capabilities: fc.subarray(['shell', 'gpu']).map((names) => new Set(names)),
      slots: fc.nat({ max: 4 }),
      usedSlots: fc.nat({ max: 4 }),
    })
    .map((parts): Partial<PlacedWorker> => parts)
  fc.assert(
    fc.property(fc.array(aWorker, { maxLength: 50 }), (fleet) => {
      const workers = fleet.map((parts, index) => worker(`worker-${index}`, parts))
      const wanted = needs({ capabilities: ['gpu', 'shell'], slots: 2 })
      const { verdicts, reason, remedies } = explainPlacement(wanted, workers)
      const kinds = ['eligible', 'busy', 'unavailable', 'unfit']
      const order = verdicts.map(({ fit }) => kinds.indexOf(fit.kind))
      expect(order).toEqual([...order].sort((a, b) => a - b))
      expect(verdicts).toHaveLength(workers.length)
      expect(reason === undefined).toBe(
        workers.some((each) => fitOf(wanted, each).kind === 'eligible'),
      )
      expect(reason?.message.length ?? 0).toBeLessThan(1_000)
      expect(remedies.length).toBeLessThanOrEqual(5)
    }),
  )
})

import { describe, expect, it } from 'vitest'
import { readWorkerUpdate } from '../../../../coordinator/workers/read-worker-update.ts'
import { UpdateWorkerRequest, Worker } from '../../../../proto/gen/rota/v1/worker_service.ts'
import { RotaError } from '../../../../shared/errors/rota-error.ts'

const read = (worker: Partial<Worker>, updateMask?: string[]) =>
  readWorkerUpdate(
    UpdateWorkerRequest.fromPartial({ worker: Worker.fromPartial(worker), updateMask }),
  )

function refused(worker: Partial<Worker>, updateMask?: string[]): RotaError {
  try {
    read(worker, updateMask)
  } catch (error) {
    if (error instanceof RotaError) return error
  }
  throw new Error('it was not refused')
}

describe('an update of a worker', () => {
  it('without a mask changes what is set', () => {
    expect(read({})).toEqual({ displayName: undefined, slotCount: undefined, labels: undefined })
    expect(read({ slotCount: 3, labels: { a: 'b' }, capabilities: ['gpu'] })).toEqual({
      displayName: undefined,
      slotCount: 3,
      labels: { kind: 'all', labels: { a: 'b' } },
    })
  })

  it('with a mask changes what it names, also to nothing', () => {
    expect(read({ displayName: 'x' }, ['slotCount', 'labels'])).toEqual({
      displayName: undefined,
      slotCount: 0,
      labels: { kind: 'all', labels: {} },
    })
    expect(read({}, ['*'])).toMatchObject({ displayName: '', slotCount: 0 })
  })

  it('sets and takes away single labels, whatever stands in their keys', () => {
    const { labels } = read({ labels: { 'a.b/c': '1' } }, ['labels.a.b/c', 'labels.tier'])
    expect(labels).toEqual({
      kind: 'some',
      values: new Map([
        ['a.b/c', '1'],
        ['tier', undefined],
      ]),
    })
  })

  it('refuses what cannot be changed, with what comes near', () => {
    expect(refused({}, ['slots_count'])).toMatchObject({
      reason: 'UPDATE_MASK_INVALID',
      hint: 'Did you mean slot_count?',
    })
    expect(refused({}, ['capabilities']).reason).toBe('UPDATE_MASK_INVALID')
  })

  it.each([
    [{ slotCount: -1 }, undefined],
    [{ slotCount: 10_001 }, undefined],
    [{ displayName: 'x'.repeat(201) }, undefined],
    [{ labels: { 'not a key': 'x' } }, undefined],
    [{ labels: { key: 'not a value' } }, undefined],
    [{}, ['labels.not a key']],
    [{}, ['labels.']],
  ] as const)('refuses %j %j', (worker, mask) => {
    expect(refused(worker, mask && [...mask]).code).toBe('INVALID_ARGUMENT')
  })
})

import { describe, expect, test } from 'vitest'
import {
  type PlacementNeeds,
  placementKey,
  placementNeeds,
  rejections,
} from '../../../../coordinator/job/placement.ts'
import { JobSpec, Placement, type Task } from '../../../../proto/gen/rota/v1/job.ts'

const SHELL: Task = {
  kind: { $case: 'shell', value: { command: 'true', env: {}, workingDirectory: '', runAs: '' } },
}

function spec(task: Task, placement?: Partial<Placement>): JobSpec {
  const whole = placement && { ...Placement.fromPartial({}), ...placement }
  return { ...JobSpec.fromPartial({}), task, placement: whole }
}

describe('needs', () => {
  test('a task needs what its kind implies, one slot and nothing else', () => {
    const nothing = { selector: '', worker: '', slots: 1 }
    expect(placementNeeds(spec(SHELL))).toEqual({ capabilities: ['shell'], ...nothing })
    const echo: Task = { kind: { $case: 'handler', value: { handler: 'echo' } } }
    expect(placementNeeds(spec(echo))).toEqual({ capabilities: ['handler:echo'], ...nothing })
  })

  test('what the job asks for is added, sorted and each once', () => {
    const needs = placementNeeds(
      spec(SHELL, {
        capabilities: ['gpu', 'shell', 'arm'],
        selector: ' region = eu ',
        worker: 'workers/worker-3',
        slots: 2,
      }),
    )
    expect(needs).toEqual({
      capabilities: ['arm', 'gpu', 'shell'],
      selector: 'region = eu',
      worker: 'worker-3',
      slots: 2,
    })
  })

  test('the pin of an execution wins over the pin of its job', () => {
    const pinned = spec(SHELL, { worker: 'workers/worker-3' })
    expect(placementNeeds(pinned, 'worker-7').worker).toBe('worker-7')
    expect(placementNeeds(pinned, '').worker).toBe('worker-3')
  })
})

describe('the key of a class', () => {
  const needs: PlacementNeeds = {
    capabilities: ['gpu', 'shell'],
    selector: '',
    worker: '',
    slots: 1,
  }

  test('is equal for equal needs, however they are ordered', () => {
    expect(placementKey({ ...needs, capabilities: ['shell', 'gpu'] })).toBe(placementKey(needs))
    expect(placementKey({ ...needs, capabilities: ['gpu', 'shell', 'gpu'] })).toBe(
      placementKey(needs),
    )
  })

  test('differs with every need', () => {
    const keys = [
      needs,
      { ...needs, capabilities: ['gpu,shell'] },
      { ...needs, capabilities: ['shell'] },
      { ...needs, selector: 'a = b' },
      { ...needs, worker: 'a = b' },
      { ...needs, slots: 2 },
    ].map(placementKey)
    expect(new Set(keys).size).toBe(keys.length)
  })
})

describe('a worker', () => {
  const worker = {
    name: 'worker-1',
    capabilities: new Set(['shell', 'gpu']),
    handlers: new Set(['echo']),
    labels: { region: 'eu' },
  }
  const needs = (wanted: Partial<PlacementNeeds>): PlacementNeeds => ({
    capabilities: [],
    selector: '',
    worker: '',
    slots: 1,
    ...wanted,
  })

  test('with all that is needed is eligible', () => {
    const all = {
      capabilities: ['handler:echo', 'shell'],
      selector: 'region = eu',
      worker: 'worker-1',
    }
    expect(rejections(needs(all), worker)).toEqual([])
  })

  test('is refused with a sentence for everything that it lacks', () => {
    const much = {
      capabilities: ['api', 'handler:backup'],
      selector: 'region = us',
      worker: 'worker-2',
    }
    expect(rejections(needs(much), worker)).toEqual([
      'It runs on worker-2 only.',
      'worker-1 lacks the capability api.',
      'worker-1 has no handler backup.',
      'The labels of worker-1 do not match region = us.',
    ])
  })

  test('has a handler only under its own name, not as a capability', () => {
    const pretender = { ...worker, capabilities: new Set(['handler:backup']) }
    expect(rejections(needs({ capabilities: ['handler:backup'] }), pretender)).toHaveLength(1)
  })

  test('is not eligible under a selector that cannot be read', () => {
    expect(rejections(needs({ selector: 'region =' }), worker)).toHaveLength(1)
  })

  test('is asked for free slots elsewhere', () => {
    expect(rejections(needs({ slots: 1_000 }), worker)).toEqual([])
  })
})

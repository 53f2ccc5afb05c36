import { describe, expect, it } from 'vitest'
import { shortIds } from '../../../cli/execution-id.ts'

describe('short ids', () => {
  it('are as long as it takes to tell them apart, and at least 13', () => {
    const ids = [
      '0198c5d2-7a1b-7000-8000-000000000001',
      '0198c5d2-7a1c-7000-8000-000000000001',
      '6353dae8-df75-5000-8000-000000000001',
    ]
    expect([...shortIds(ids).values()]).toEqual(['0198c5d2-7a1b', '0198c5d2-7a1c', '6353dae8-df75'])
    const twins = ['0198c5d2-7a1b-7000-8000-000000000001', '0198c5d2-7a1b-7000-8100-000000000001']
    expect([...shortIds(twins).values()]).toEqual([
      '0198c5d2-7a1b-7000-80',
      '0198c5d2-7a1b-7000-81',
    ])
  })

  it('may be the same thing twice', () => {
    const id = '0198c5d2-7a1b-7000-8000-000000000001'
    expect(shortIds([id, id]).get(id)).toBe('0198c5d2-7a1b')
  })
})

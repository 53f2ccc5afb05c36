import { expect, test } from 'vitest'
import { objection, readServerFacts } from '../../../../coordinator/store/server-facts.ts'

const PRIMARY = { isStandby: false, isReadOnly: false, systemId: '7', timeline: 3 }

test.each([
  ['the same primary', {}, undefined],
  ['a promoted standby', { timeline: 4 }, undefined],
  ['a service that does not tell', { systemId: undefined, timeline: undefined }, undefined],
  ['a service that tells half', { timeline: undefined }, undefined],
  ['a standby', { isStandby: true, timeline: undefined }, 'is a standby'],
  ['a server that takes no writes', { isReadOnly: true }, 'is read-only'],
  ['a primary of another cluster', { systemId: '8', timeline: 9 }, 'belongs to another cluster'],
  ['an old primary', { timeline: 2 }, 'is an old primary: its timeline is 2, and 3 was seen'],
])('%s: %j', (_, change, why) => {
  expect(objection({ ...PRIMARY, ...change }, { systemId: '7', timeline: 3 })).toBe(why)
})

test('any primary will do before one was seen', () => {
  expect(objection(PRIMARY, undefined)).toBe(undefined)
  expect(objection({ ...PRIMARY, isStandby: true }, undefined)).toBe('is a standby')
})

test('a server where we may not ask everything tells the rest', async () => {
  const forbidden = Object.assign(new Error('permission denied'), {
    code: '42501',
    severity: 'ERROR',
  })
  const query = async (text: string) => {
    if (text.includes('pg_control_system')) throw forbidden
    return { rows: [{ is_standby: false, is_read_only: true, system_id: null, wal_file: null }] }
  }
  expect(await readServerFacts({ query })).toEqual({
    ...{ isStandby: false, isReadOnly: true, systemId: undefined, timeline: undefined },
  })
})

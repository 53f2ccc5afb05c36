import { expect, test } from 'vitest'
import { type AgentState, admit } from '../../../../agent/accept/admit.ts'
import { assignmentOf, handlerOf, scriptOf, shellOf } from '../../../support/assignments.ts'

const READY: AgentState = {
  isDraining: false,
  freeSlots: 2,
  hasSpace: true,
  capabilities: new Set(['shell']),
  handlers: new Set(['noop']),
}

test('what fits is taken', () => {
  expect(admit(shellOf('true', { slots: 2 }), READY)).toBeUndefined()
  expect(admit(handlerOf('noop'), READY)).toBeUndefined()
})

test('more slots than are free are refused', () => {
  expect(admit(shellOf('true', { slots: 3 }), READY)).toBe('NO_SLOT')
})

test('an assignment takes one slot at least', () => {
  expect(admit(shellOf('true', { slots: 0 }), { ...READY, freeSlots: 0 })).toBe('NO_SLOT')
})

test('a kind that the agent was not given is refused', () => {
  expect(admit(scriptOf({ inline: 'true' }), READY)).toBe('UNKNOWN_TASK')
  expect(admit(handlerOf('other'), READY)).toBe('UNKNOWN_TASK')
  expect(admit(assignmentOf({ $case: 'workflow', value: { steps: [] } }), READY)).toBe(
    'UNKNOWN_TASK',
  )
  expect(admit({ ...shellOf('true'), task: undefined }, READY)).toBe('UNKNOWN_TASK')
})

test('a draining agent and a full disk refuse', () => {
  expect(admit(shellOf('true'), { ...READY, isDraining: true })).toBe('DRAINING')
  expect(admit(shellOf('true'), { ...READY, hasSpace: false })).toBe('NO_SPACE')
})

import { describe, expect, test } from 'vitest'
import {
  type ExecutionState,
  FINAL_STATES,
  LIVE_STATES,
} from '../../../../coordinator/job/execution.ts'
import { isLegal, MOVES, type MoveName } from '../../../../coordinator/job/transitions.ts'

const STATES: readonly ExecutionState[] = [...LIVE_STATES, ...FINAL_STATES]
const NAMES = Object.keys(MOVES) as MoveName[]

/** Every legal edge, written out by hand from the diagram of docs/architecture.md. */
const LEGAL: Readonly<Record<MoveName, readonly string[]>> = {
  release: ['waiting>queued', 'backoff>queued'],
  claim: ['queued>assigned'],
  requeue: ['assigned>queued'],
  start: ['assigned>running'],
  restore: LIVE_STATES.map((from) => `${from}>running`),
  retry: ['assigned>backoff', 'assigned>queued', 'running>backoff', 'running>queued'],
  settle: LIVE_STATES.flatMap((from) => FINAL_STATES.map((to) => `${from}>${to}`)),
}

test.each(NAMES)('%s makes the moves of the diagram and no others', (move) => {
  const legal = STATES.flatMap((from) =>
    STATES.filter((to) => isLegal(move, from, to)).map((to) => `${from}>${to}`),
  )
  expect(legal.sort()).toEqual([...LEGAL[move]].sort())
})

test('a final state never changes', () => {
  for (const move of NAMES) {
    for (const from of FINAL_STATES) {
      expect(STATES.filter((to) => isLegal(move, from, to))).toEqual([])
    }
  }
})

describe('from every live state', () => {
  test.each(LIVE_STATES)('%s there is a way to an end', (from) => {
    expect(FINAL_STATES.every((to) => isLegal('settle', from, to))).toBe(true)
  })

  test.each(LIVE_STATES)('%s a process is started only after a claim', (from) => {
    expect(isLegal('start', from, 'running')).toBe(from === 'assigned')
    expect(isLegal('claim', from, 'assigned')).toBe(from === 'queued')
  })
})

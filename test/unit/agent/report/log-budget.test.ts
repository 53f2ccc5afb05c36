import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogBudget } from '../../../../agent/report/log-budget.ts'

test('who writes first is kept first', () => {
  const budget = new LogBudget(10)
  budget.grant('stderr', 7)
  budget.grant('stdout', 7)
  expect(budget.share).toEqual({ stdoutBytes: 3, stderrBytes: 7 })
  expect(budget.isSpent).toBe(true)
})

test('settling gives what is left to what was written', () => {
  const budget = new LogBudget(100)
  budget.grant('stdout', 10)
  expect(budget.settle({ stdoutBytes: 20, stderrBytes: 30 })).toEqual({
    stdoutBytes: 20,
    stderrBytes: 30,
  })
  budget.grant('stdout', 10)
  expect(budget.share).toEqual({ stdoutBytes: 20, stderrBytes: 30 })
})

test('a share of an earlier life stays as it is', () => {
  const budget = new LogBudget(100, { stdoutBytes: 5, stderrBytes: 0 })
  budget.grant('stderr', 10)
  expect(budget.settle({ stdoutBytes: 50, stderrBytes: 50 })).toEqual({
    stdoutBytes: 5,
    stderrBytes: 0,
  })
})

test('however it is granted, the kept bytes are all that was written, or exactly the cap', () => {
  const grants = fc.array(
    fc.record({
      output: fc.constantFrom('stdout' as const, 'stderr' as const),
      bytes: fc.nat(2_000),
    }),
  )
  fc.assert(
    fc.property(fc.nat(5_000), fc.nat(5_000), fc.nat(5_000), grants, (cap, out, err, given) => {
      const budget = new LogBudget(cap)
      const written = { stdout: out, stderr: err }
      for (const { output, bytes } of given) {
        // The shipper never asks for more than it has seen in the file.
        budget.grant(output, Math.min(bytes, written[output] - budget.granted(output)))
      }
      const { stdoutBytes, stderrBytes } = budget.settle({ stdoutBytes: out, stderrBytes: err })
      expect(stdoutBytes).toBeLessThanOrEqual(out)
      expect(stderrBytes).toBeLessThanOrEqual(err)
      expect(stdoutBytes + stderrBytes).toBe(Math.min(cap, out + err))
    }),
  )
})

import { expect, test } from 'vitest'
import { isWorthRenewing } from '../../../../coordinator/dispatch/renew-loop.ts'

const SINCE_MS = 9_500

test.each([
  ['a heartbeat waits for its answer, however old', 7n, 8_000, 7_000, true],
  ['a report has just come', undefined, 9_900, 7_000, true],
  ['a report came long before', undefined, 8_100, 7_000, false],
  ['nothing came since the last renewal', undefined, 9_600, 9_600, false],
] as const)(
  'a lease is renewed or not: %s',
  (_, sequence, lastHeardMs, renewedForMs, isRenewed) => {
    const session = { heartbeatSequence: sequence, lastHeardMs, renewedForMs }
    expect(isWorthRenewing(session, SINCE_MS)).toBe(isRenewed)
  },
)

import { AssertionError } from 'node:assert'

/** States what must hold. A failure is a mistake in Rota: the process ends, and leases cover the crash. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message })
}

/** The last case of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new AssertionError({ message: `unexpected value ${JSON.stringify(value)}` })
}

import { uptime } from 'node:os'

/**
 * Milliseconds since the host was booted, in steps of 10: the clock of leases. It goes on while the host is suspended,
 * which the monotonic clock of Node does not (reliability N5), and all processes of a host read the same.
 */
export function readBootMs(): number {
  return uptime() * 1_000
}

import { uptime } from 'node:os'

/**
 * Milliseconds since the host was booted: the clock of leases, the same for all processes of a host. On Linux, in steps of
 * 10, it goes on while the host is suspended, which the monotonic clock of Node does not (reliability N5); elsewhere there
 * is only that one.
 */
export function readBootMs(): number {
  return process.platform === 'linux' ? uptime() * 1_000 : Number(process.hrtime.bigint()) / 1e6
}

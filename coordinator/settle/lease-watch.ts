/**
 * When a lease has ended. Pure but for what it remembers.
 *
 * L1. Two clocks must agree: the database's says that the renewal is older than L + G, and this coordinator has itself
 *     watched the renewal counter stand still for L + G on its monotonic clock. A jump of a clock, an outage of the
 *     database or a coordinator that has just started can put an end off, never cause one.
 * L2. The brake: when more than 30 % of the sessions (at least 3) fall silent within 10 s, or this coordinator could not
 *     reach the database for over 1 s, the fault is probably here: no lease ends for another L.
 */
import type { SessionId } from '../job/execution.ts'

export interface LeaseTimes {
  /** Length of a lease, L, in ms. */
  readonly leaseMs: number
  /** Grace of the server, G, in ms. */
  readonly graceMs: number
}

export interface ObservedLease {
  readonly sessionId: SessionId
  readonly renewals: number
  /** What the database's clock says of the last renewal, in ms. */
  readonly ageMs: number
}

interface Watched {
  readonly renewals: number
  readonly sinceMs: number
}

export interface LeaseWatch {
  /**
   * Takes one look at all leases and answers those that have ended. `monotonicMs` never goes back; `askedMs` is when the
   * database was asked for them: an answer that lay here while this process was frozen says nothing of the time since.
   */
  observe(leases: readonly ObservedLease[], monotonicMs: number, askedMs?: number): SessionId[]
  /** In how many ms to look again: at the end of the lease that ends first, so that its work need not wait for the next turn. */
  nextLookMs(monotonicMs: number): number
}

const SILENT_SHARE_MAX = 0.3
const SILENT_COUNT_MIN = 3
const SILENT_WINDOW_MS = 10_000
const OUTAGE_MS = 1_000
/** A session that has not renewed for this part of its lease counts as silent. */
const SILENT_PART = 0.5

export function createLeaseWatch(times: LeaseTimes, lookMs: number): LeaseWatch {
  const endMs = times.leaseMs + times.graceMs
  const watched = new Map<SessionId, Watched>()
  const fellSilentAt = new Map<SessionId, number>()
  let lastLookMs: number | undefined
  let brakeUntilMs = Number.NEGATIVE_INFINITY

  const remember = (leases: readonly ObservedLease[], nowMs: number) => {
    const present = new Set(leases.map(({ sessionId }) => sessionId))
    for (const id of watched.keys()) if (!present.has(id)) watched.delete(id)
    for (const id of fellSilentAt.keys()) if (!present.has(id)) fellSilentAt.delete(id)
    for (const { sessionId, renewals } of leases) {
      if (watched.get(sessionId)?.renewals !== renewals) {
        watched.set(sessionId, { renewals, sinceMs: nowMs })
        fellSilentAt.delete(sessionId)
      } else if (nowMs - (watched.get(sessionId)?.sinceMs ?? nowMs) > times.leaseMs * SILENT_PART) {
        if (!fellSilentAt.has(sessionId)) fellSilentAt.set(sessionId, nowMs)
      }
    }
  }

  const pullBrake = (count: number, nowMs: number) => {
    const isOutage = lastLookMs !== undefined && nowMs - lastLookMs > lookMs + OUTAGE_MS
    const silent = [...fellSilentAt.values()].filter((at) => nowMs - at <= SILENT_WINDOW_MS).length
    const isMassSilence = silent >= SILENT_COUNT_MIN && silent > count * SILENT_SHARE_MAX
    if (isOutage || isMassSilence) brakeUntilMs = nowMs + times.leaseMs
  }

  return {
    observe(leases, nowMs, askedMs = nowMs) {
      remember(leases, nowMs)
      pullBrake(leases.length, nowMs)
      lastLookMs = askedMs
      if (nowMs < brakeUntilMs) return []
      return leases
        .filter(({ ageMs }) => ageMs > endMs)
        .filter(({ sessionId }) => nowMs - (watched.get(sessionId)?.sinceMs ?? nowMs) > endMs)
        .map(({ sessionId }) => sessionId)
    },
    nextLookMs(nowMs) {
      let nextMs = lookMs
      for (const { sinceMs } of watched.values()) {
        const leftMs = sinceMs + endMs - nowMs
        // One that is over on this clock waits for the other clock, or for the brake: the usual turn is soon enough.
        if (leftMs >= 0) nextMs = Math.min(nextMs, leftMs + 1)
      }
      return nextMs
    },
  }
}

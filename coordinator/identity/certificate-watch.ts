/**
 * Ends what was opened with a certificate that is revoked since. TLS and the interceptor look at a certificate only when
 * a connection or a stream begins.
 */
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import { findRevoked } from './identity-queries.ts'

const LOOK_MS = 1_500

export interface CertificateWatch extends Service {
  /** Calls `onRevoked` once when the certificate is revoked or forgotten. Returns how to stop watching. */
  watch(fingerprint: string, onRevoked: () => void): () => void
}

export function createCertificateWatch(deps: Deps): CertificateWatch {
  const watched = new Map<string, Set<() => void>>()
  const ticker = new Ticker({
    ...deps,
    name: 'certificates',
    runOnce: async () => {
      if (watched.size > 0) tell(await findRevoked(deps.db, [...watched.keys()]))
      return LOOK_MS
    },
  })
  const tell = (revoked: readonly string[]) => {
    for (const fingerprint of revoked) {
      const listeners = watched.get(fingerprint) ?? []
      watched.delete(fingerprint)
      for (const onRevoked of listeners) onRevoked()
    }
  }
  deps.hints.on('workers', () => ticker.wake())
  return {
    start: () => ticker.start(),
    stop: () => ticker.stop(),
    watch(fingerprint, onRevoked) {
      const listeners = watched.get(fingerprint) ?? new Set()
      watched.set(fingerprint, listeners.add(onRevoked))
      return () => {
        listeners.delete(onRevoked)
        if (listeners.size === 0 && watched.get(fingerprint) === listeners) {
          watched.delete(fingerprint)
        }
      }
    },
  }
}

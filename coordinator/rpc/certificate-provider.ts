/** Hands grpc-js the coordinator's certificate, and a new one before the old one ends, without a restart. */
import type { experimental } from '@grpc/grpc-js'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { CertificateAuthority } from '../identity/certificate-authority.ts'

type Provider = experimental.CertificateProvider
type IdentityUpdate = Parameters<Parameters<Provider['addIdentityCertificateListener']>[0]>[0]
type IdentityListener = (update: IdentityUpdate) => void

const LOOK_MS = 3_600_000

export function createCertificateProvider(
  deps: Pick<Deps, 'clock' | 'logger'>,
  authority: CertificateAuthority,
): Provider & Service {
  const listeners = new Set<IdentityListener>()
  let current: NonNullable<IdentityUpdate> | undefined
  const refresh = async () => {
    const { key, certificate } = await authority.serverIdentity()
    const isNew = current?.certificate.toString() !== certificate
    if (!isNew) return LOOK_MS
    current = { certificate: Buffer.from(certificate), privateKey: Buffer.from(key) }
    for (const listener of listeners) listener(current)
    return LOOK_MS
  }
  const ticker = new Ticker({ ...deps, name: 'server certificate', runOnce: refresh })
  return {
    async start() {
      await refresh()
      await ticker.start()
    },
    stop: async () => ticker.stop(),
    // Later, never at once: grpc-js is not ready for the answer within the call (server-credentials.js, 1.14.7).
    addCaCertificateListener: (listener) =>
      queueMicrotask(() => listener({ caCertificate: Buffer.from(authority.caPem) })),
    removeCaCertificateListener: () => {},
    addIdentityCertificateListener(listener) {
      listeners.add(listener)
      queueMicrotask(() => {
        if (current !== undefined) listener(current)
      })
    },
    removeIdentityCertificateListener: (listener) => void listeners.delete(listener),
  }
}

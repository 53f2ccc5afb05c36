/** Proof, before anything secret is said, that a host is the coordinator which made a join token. */
import { createHash, X509Certificate } from 'node:crypto'
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { COORDINATOR_TLS_NAME } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { splitAddress } from './address.ts'

const CHAIN_LENGTH_MAX = 5
const HANDSHAKE_TIMEOUT_MS = 5_000

/**
 * The CA certificate (PEM) that signed the coordinator at `address`. Throws UNREACHABLE when nobody answers, and
 * TOKEN_INVALID when whoever answers is not the coordinator whose CA has the SHA-256 `caDigest`.
 */
export async function fetchTrustedCa(options: {
  readonly address: string
  readonly caDigest: string
  readonly clock: Clock
}): Promise<string> {
  const chain = await fetchChain(options.address, options.clock)
  const verdict = verifyChain({ chain, caDigest: options.caDigest, now: options.clock.now() })
  if (verdict.kind === 'trusted') return verdict.caPem
  throw new RotaError('TOKEN_INVALID', `${options.address}: ${verdict.why}`, {
    hint: 'Check --coordinator, and that the token was made by that coordinator. The token was not sent.',
  })
}

type ChainVerdict =
  | { readonly kind: 'trusted'; readonly caPem: string }
  | { readonly kind: 'refused'; readonly why: string }

/** Judges a chain, leaf first: it must lead to the CA of the digest, and the leaf must be a coordinator's. */
export function verifyChain(options: {
  readonly chain: readonly X509Certificate[]
  readonly caDigest: string
  readonly now: Date
}): ChainVerdict {
  const { chain, now } = options
  const [leaf] = chain
  const caIndex = chain.findIndex((link) => digestOf(link) === options.caDigest)
  const ca = chain[caIndex]
  if (leaf === undefined || ca === undefined) {
    return refused('its CA is not the one that the token names')
  }
  if (!ca.ca || caIndex === 0) return refused('the certificate that the token names is no CA')
  const links = chain.slice(0, caIndex + 1)
  if (!links.every((link, index) => isIssuedBy(link, links[index + 1] ?? ca))) {
    return refused('its certificate was not signed by the CA that the token names')
  }
  if (!links.every((link) => link.validFromDate <= now && now <= link.validToDate)) {
    return refused('its certificate is not valid at this time; check the clock of this host')
  }
  const isCoordinator = leaf.checkHost(COORDINATOR_TLS_NAME) !== undefined
  if (!isCoordinator) return refused('its certificate is not that of a coordinator')
  return { kind: 'trusted', caPem: ca.toString() }
}

function refused(why: string): ChainVerdict {
  return { kind: 'refused', why }
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/** What join tokens name a CA by. */
export function digestOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('hex')
}

/** What the host shows in the TLS handshake, unjudged. */
async function fetchChain(address: string, clock: Clock): Promise<X509Certificate[]> {
  const { host, port } = splitAddress(address)
  const socket = connect({
    host,
    port,
    ALPNProtocols: ['h2'],
    // The chain is judged by verifyChain, which knows the digest; the system's CAs have no say.
    rejectUnauthorized: false,
    servername: COORDINATOR_TLS_NAME,
  })
  const timer = clock.after(HANDSHAKE_TIMEOUT_MS, () => {
    socket.destroy(new Error(`no TLS handshake within ${HANDSHAKE_TIMEOUT_MS} ms`))
  })
  try {
    await secured(socket)
    return certificatesOf(socket.getPeerCertificate(true))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new RotaError('UNREACHABLE', `${address}: ${reason}`, { cause: error })
  } finally {
    timer.cancel()
    socket.destroy()
  }
}

function secured(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.on('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  })
}

function certificatesOf(leaf: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = leaf
  while (next?.raw !== undefined && chain.length < CHAIN_LENGTH_MAX) {
    chain.push(new X509Certificate(next.raw))
    // A self-signed certificate names itself as its issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate
  }
  return chain
}

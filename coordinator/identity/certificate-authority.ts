/**
 * Rota's own certificate authority: signs the certificates of the coordinators and of the agents.
 *
 * Keys are ECDSA P-256, PEM. That of the authority is in memory only; that of the coordinator is in the data folder (mode
 * 0600). The X.509 library is loaded when a certificate is made.
 */
import { createHash, webcrypto, X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { COORDINATOR_TLS_NAME } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
import type { coordinatorFiles } from '../../shared/data-dir.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Random } from '../../shared/random.ts'
import { type Identity, readIdentity, writeIdentity } from './identity-files.ts'

const DAY_MS = 86_400_000
const CA_DAYS = 3_650
const SERVER_DAYS = 90
/**
 * Clocks of hosts differ, and may jump by an hour either way on both ends: a certificate is valid from so long before it
 * was made, in ms; a short-lived one less, since agents renew at half of the whole time.
 */
const BACKDATE_MS_MAX = 3 * 3_600_000
const BACKDATE_MS_MIN = 300_000
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface AgentCertificate {
  /** The certificate and the CA's, PEM. */
  readonly chainPem: string
  /** SHA-256 of the certificate (DER), hex: the agent is known by it. */
  readonly fingerprint: string
  readonly expiresAt: Date
}

export interface CertificateAuthority {
  readonly caPem: string
  /** SHA-256 of the CA certificate (DER), hex: what join tokens carry. */
  readonly caDigest: string
  /** The coordinator's own identity; made anew when two thirds of its time have passed. */
  serverIdentity(): Promise<Identity>
  /** Signs an agent's request; throws CSR_INVALID. The name is ours, never the one in the request. */
  signAgent(csrDer: Uint8Array, workerName: string): Promise<AgentCertificate>
}

export interface AuthorityOptions {
  readonly files: ReturnType<typeof coordinatorFiles>
  readonly ca: Identity
  readonly clock: Clock
  readonly random: Random
  /** Host names and addresses under which agents reach this coordinator, besides those of this host. */
  readonly names: readonly string[]
  readonly agentCertificateMs: number
}

type X509 = typeof import('@peculiar/x509')

async function loadX509(): Promise<X509> {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** Signs with `ca`; the coordinator's own identity lies in the data folder. */
export async function openAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const { ca, files } = options
  await mkdir(files.folder, { recursive: true, mode: 0o700 })
  return {
    caPem: ca.certificate,
    caDigest: digestOf(new X509Certificate(ca.certificate).raw),
    async serverIdentity() {
      const stored = await readIdentity(files.serverKey, files.serverCertificate)
      if (stored !== undefined && isFresh(stored, ca, options)) return stored
      const made = await makeServer(options, ca)
      return writeIdentity(files.serverKey, files.serverCertificate, made)
    },
    signAgent: async (csrDer, workerName) => signAgent(options, ca, { csrDer, workerName }),
  }
}

/** A new authority. */
export async function makeAuthority(
  options: Pick<AuthorityOptions, 'clock' | 'random'>,
): Promise<Identity> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(options.clock, CA_DAYS * DAY_MS),
    serialNumber: serial(options.random),
    name: 'CN=Rota CA',
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') }
}

async function makeServer(options: AuthorityOptions, ca: Identity): Promise<Identity> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(options.clock, SERVER_DAYS * DAY_MS),
    ...(await issuer(x509, ca)),
    serialNumber: serial(options.random),
    subject: 'CN=Rota coordinator',
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...(await leafExtensions(x509, ca, x509.ExtendedKeyUsage.serverAuth)),
      new x509.SubjectAlternativeNameExtension(serverNames(options.names).map(toGeneralName)),
    ],
  })
  return {
    key: await exportKey(keys.privateKey),
    certificate: `${certificate.toString('pem')}\n${ca.certificate}`,
  }
}

async function signAgent(
  options: AuthorityOptions,
  ca: Identity,
  request: { readonly csrDer: Uint8Array; readonly workerName: string },
): Promise<AgentCertificate> {
  const x509 = await loadX509()
  const publicKey = await readRequest(x509, request.csrDer)
  const times = validity(options.clock, options.agentCertificateMs)
  const certificate = await x509.X509CertificateGenerator.create({
    ...times,
    ...(await issuer(x509, ca)),
    serialNumber: serial(options.random),
    subject: [{ CN: [request.workerName] }, { OU: ['Rota agents'] }],
    publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: await leafExtensions(x509, ca, x509.ExtendedKeyUsage.clientAuth),
  })
  return {
    chainPem: `${certificate.toString('pem')}\n${ca.certificate}`,
    fingerprint: digestOf(Buffer.from(certificate.rawData)),
    expiresAt: times.notAfter,
  }
}

/** The public key of a PKCS #10 request whose signature is right. */
async function readRequest(x509: X509, csrDer: Uint8Array) {
  try {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csrDer))
    const algorithm = request.publicKey.algorithm as { name?: string; namedCurve?: string }
    const isExpected = algorithm.name === 'ECDSA' && algorithm.namedCurve === 'P-256'
    if (isExpected && (await request.verify())) return request.publicKey
  } catch (error) {
    throw new RotaError('CSR_INVALID', 'csr_der: is no PKCS #10 request', { cause: error })
  }
  throw new RotaError(
    'CSR_INVALID',
    'csr_der: its key is not ECDSA P-256, or its signature is wrong',
  )
}

async function issuer(x509: X509, ca: Identity) {
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pemBytes(ca.key), ALGORITHM, false, [
    'sign',
  ])
  return { issuer: new x509.X509Certificate(ca.certificate).subject, signingKey }
}

async function leafExtensions(x509: X509, ca: Identity, usage: string) {
  const authority = new x509.X509Certificate(ca.certificate)
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
    await x509.AuthorityKeyIdentifierExtension.create(authority.publicKey),
  ]
}

function validity(clock: Clock, lengthMs: number) {
  const now = clock.now().getTime()
  const backdateMs = Math.max(BACKDATE_MS_MIN, Math.min(BACKDATE_MS_MAX, lengthMs / 4))
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(now + lengthMs) }
}

function serverNames(names: readonly string[]): string[] {
  return [...new Set([COORDINATOR_TLS_NAME, 'localhost', '127.0.0.1', '::1', hostname(), ...names])]
}

function toGeneralName(name: string): { type: 'dns' | 'ip'; value: string } {
  return { type: isIP(name) ? 'ip' : 'dns', value: name }
}

/** True while the stored certificate is of this CA, has all names, and a third of its time left. */
function isFresh(stored: Identity, ca: Identity, options: AuthorityOptions): boolean {
  const certificate = new X509Certificate(stored.certificate)
  if (!certificate.checkIssued(new X509Certificate(ca.certificate))) return false
  const left = certificate.validToDate.getTime() - options.clock.now().getTime()
  const names = serverNames(options.names)
  return (
    left > (SERVER_DAYS * DAY_MS) / 3 &&
    names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)))
  )
}

function serial(random: Random): string {
  const bytes = random.bytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes.toString('hex')
}

function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  const lines = der.match(/.{1,64}/g) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}

function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'))
}

/** A CA for tests: signs the certificate of a fake coordinator and those of agents. */
import 'reflect-metadata'
import {
  createHash,
  createPrivateKey,
  type KeyObject,
  webcrypto,
  X509Certificate,
} from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

export interface FakeAuthority {
  readonly caPem: string
  readonly caDigest: string
  /** A server certificate for `names`, with its key, PEM; the chain ends in the CA. */
  createServer(
    names: readonly string[],
  ): Promise<{ readonly keyPem: string; readonly chainPem: string }>
  /** Signs a request as the coordinator does; throws when its signature is wrong. */
  sign(
    csrDer: Uint8Array,
    validity?: Partial<Validity>,
  ): Promise<{ readonly chainPem: string; readonly commonName: string }>
}

export async function createFakeAuthority(): Promise<FakeAuthority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const ca = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=Fake CA',
    ...lasting(),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  })
  const caPem = ca.toString('pem')
  const issue = async (
    subject: string,
    publicKey: webcrypto.CryptoKey,
    details: {
      readonly validity: Validity
      readonly usage: string
      readonly names: readonly string[]
    },
  ) => {
    const certificate = await X509CertificateGenerator.create({
      serialNumber: Math.floor(Math.random() * 1e12)
        .toString(16)
        .padStart(12, '1'),
      subject,
      issuer: ca.subject,
      ...details.validity,
      signingKey: keys.privateKey,
      publicKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new ExtendedKeyUsageExtension([details.usage]),
        ...(details.names.length === 0
          ? []
          : [new SubjectAlternativeNameExtension(details.names.map(generalName))]),
      ],
    })
    return `${certificate.toString('pem')}\n${caPem}\n`
  }
  return {
    caPem,
    caDigest: createHash('sha256').update(new X509Certificate(caPem).raw).digest('hex'),
    async createServer(names) {
      const pair = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const details = { validity: lasting(), usage: ExtendedKeyUsage.serverAuth, names }
      return {
        keyPem: await pemOf(pair.privateKey),
        chainPem: await issue('CN=fake coordinator', pair.publicKey, details),
      }
    },
    async sign(csrDer, validity) {
      const request = new Pkcs10CertificateRequest(Uint8Array.from(csrDer))
      if (!(await request.verify())) throw new Error('the request is not signed by its key')
      const publicKey = await request.publicKey.export()
      const details = {
        validity: { ...lasting(), ...validity },
        usage: ExtendedKeyUsage.clientAuth,
        names: [],
      }
      return {
        chainPem: await issue(request.subject, publicKey, details),
        commonName: request.subjectName.getField('CN')[0] ?? '',
      }
    },
  }
}

function lasting(): Validity {
  const now = Date.now()
  return { notBefore: new Date(now - 60_000), notAfter: new Date(now + DAY_MS) }
}

function generalName(name: string): { type: 'dns' | 'ip'; value: string } {
  return { type: /^[\d.]+$/.test(name) ? 'ip' : 'dns', value: name }
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key))
  const object: KeyObject = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return object.export({ type: 'pkcs8', format: 'pem' }).toString()
}

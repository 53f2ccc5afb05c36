/** Getting a certificate: the first by a join token, the next ones by the certificate before. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { type ChannelCredentials, credentials, Metadata } from '@grpc/grpc-js'
import {
  AgentServiceClient,
  type EnrollRequest,
  type EnrollResponse,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import { parseJoinToken } from '../../shared/join-token.ts'
import { parseResourceName } from '../../shared/wire.ts'
import { createCertificateRequest } from './certificate-request.ts'
import { createKey, type Identity, toIdentity } from './identity-files.ts'
import { digestOf, fetchTrustedCa } from './trust.ts'

const ENROLL_TIMEOUT_MS = 10_000

export interface Enrolled {
  /** Id of the worker. */
  readonly worker: string
  readonly identity: Identity
}

/** Joins with a token. The token is sent only to the coordinator that proved to be the one it names. */
export async function join(options: {
  readonly address: string
  readonly token: string
  readonly workerName: string
  readonly clock: Clock
}): Promise<Enrolled> {
  const token = parseJoinToken(options.token)
  if (token === undefined) {
    throw new RotaError('TOKEN_INVALID', 'the join token is not of the form rota-join-...', {
      hint: 'Copy the whole token that `rota token create` printed.',
    })
  }
  const { address, clock, workerName } = options
  const caPem = await fetchTrustedCa({ address, caDigest: token.caDigest, clock })
  const { key, pem: keyPem } = createKey()
  const response = await enroll(
    {
      joinToken: options.token.trim(),
      csrDer: createCertificateRequest(key, workerName),
      hostname: hostname(),
      workerId: workerName,
    },
    { address, clock, channel: credentials.createSsl(Buffer.from(caPem)) },
  )
  if (!holdsCa(response.caBundlePem, token.caDigest)) {
    throw new RotaError(
      'CERTIFICATE_INVALID',
      'the coordinator answered with another CA than its own',
    )
  }
  return enrolled(response, keyPem)
}

/** The next certificate of an agent that has one; the key stays. */
export async function renew(options: {
  readonly address: string
  readonly identity: Identity
  readonly workerName: string
  readonly clock: Clock
}): Promise<Enrolled> {
  const { address, identity, workerName, clock } = options
  const response = await enroll(
    {
      joinToken: '',
      csrDer: createCertificateRequest(createPrivateKey(identity.keyPem), workerName),
      hostname: hostname(),
      workerId: workerName,
    },
    {
      address,
      clock,
      channel: credentials.createSsl(
        Buffer.from(identity.caPem),
        Buffer.from(identity.keyPem),
        Buffer.from(identity.certificatePem),
      ),
    },
  )
  return enrolled(response, identity.keyPem)
}

function enrolled(response: EnrollResponse, keyPem: string): Enrolled {
  const { worker, certificateChainPem: certificatePem, caBundlePem: caPem } = response
  return {
    worker: parseResourceName('workers', worker, 'worker'),
    identity: toIdentity({ keyPem, certificatePem, caPem }),
  }
}

async function enroll(
  request: EnrollRequest,
  to: {
    readonly address: string
    readonly clock: Clock
    readonly channel: ChannelCredentials
  },
): Promise<EnrollResponse> {
  const client = new AgentServiceClient(to.address, to.channel, CLIENT_CHANNEL_OPTIONS)
  const deadline = to.clock.now().getTime() + ENROLL_TIMEOUT_MS
  try {
    return await new Promise<EnrollResponse>((resolve, reject) => {
      client.enroll(request, new Metadata(), { deadline }, (error, response) => {
        if (error === null) resolve(response)
        else reject(fromServiceError(error).error)
      })
    })
  } finally {
    client.close()
  }
}

/** True when one of the certificates of the bundle has the digest. */
function holdsCa(bundlePem: string, caDigest: string): boolean {
  const pems = bundlePem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return pems.some((pem) => digestOf(new X509Certificate(pem)) === caDigest)
}

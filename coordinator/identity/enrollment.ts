/** How hosts become workers: single-use join tokens, certificate requests, renewals. */
import type { EnrollRequest, EnrollResponse } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import type {
  CreateEnrollmentTokenRequest,
  CreateEnrollmentTokenResponse,
} from '../../proto/gen/rota/v1/worker_service.ts'
import { durationToMs } from '../../shared/duration.ts'
import { type FieldViolation, RotaError, refuseViolations } from '../../shared/errors/rota-error.ts'
import { newId } from '../../shared/ids.ts'
import { formatJoinToken, parseJoinToken } from '../../shared/join-token.ts'
import { parseResourceName, resourceName } from '../../shared/wire.ts'
import type { Deps } from '../deps.ts'
import { recordWorkerEvents } from '../events/record-event-queries.ts'
import type { WorkerId } from '../job/execution.ts'
import type { Db } from '../store/database.ts'
import type { CertificateAuthority } from './certificate-authority.ts'
import {
  insertCertificate,
  insertJoinToken,
  insertWorker,
  readmitWorker,
  type UsedJoinToken,
  useJoinToken,
} from './identity-queries.ts'
import { hashSecret, type Principal, principalName } from './principal.ts'

const TTL_MS = 600_000
const TTL_MS_MAX = 86_400_000
const USES_MAX = 10_000
const WORKER_ID = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/
const LABELS_MAX = 64

export interface EnrollmentDeps extends Pick<Deps, 'db' | 'clock' | 'random' | 'logger'> {
  readonly authority: CertificateAuthority
  /** `host:port` under which agents reach this coordinator. */
  readonly advertisedAddress: () => string
}

export async function createJoinToken(
  deps: EnrollmentDeps,
  principal: Principal,
  request: CreateEnrollmentTokenRequest,
): Promise<CreateEnrollmentTokenResponse> {
  const worker = request.worker === '' ? '' : parseResourceName('workers', request.worker, 'worker')
  refuseViolations(checkTokenRequest(request, worker))
  const id = deps.random.bytes(8).toString('hex')
  const secret = deps.random.bytes(32).toString('base64url')
  const expireTime = await insertJoinToken(deps.db, {
    id,
    secretHash: hashSecret(secret),
    worker,
    labels: request.labels,
    uses: request.maxUses || 1,
    createdBy: principalName(principal),
    ttlMs: durationToMs(request.ttl) ?? TTL_MS,
  })
  const token = formatJoinToken({ id, secret, caDigest: deps.authority.caDigest })
  const name = worker === '' ? '' : ` --name ${worker}`
  const installCommand = `ROTA_JOIN_TOKEN=${token} rota agent run --coordinator ${deps.advertisedAddress()}${name}`
  return { token, expireTime, installCommand }
}

function checkTokenRequest(
  request: CreateEnrollmentTokenRequest,
  worker: string,
): FieldViolation[] {
  const violations: FieldViolation[] = []
  const refuse = (field: string, message: string) => {
    violations.push({ field, reason: 'FIELD_INVALID', message })
  }
  const ttlMs = durationToMs(request.ttl)
  if (ttlMs !== undefined && !(ttlMs >= 1_000 && ttlMs <= TTL_MS_MAX))
    refuse('ttl', 'must be 1 s to 24 h')
  if (request.maxUses < 0 || request.maxUses > USES_MAX)
    refuse('max_uses', `must be 1 to ${USES_MAX}`)
  if (worker !== '' && !WORKER_ID.test(worker)) refuse('worker', 'is not a worker id')
  if (worker !== '' && request.maxUses > 1)
    refuse('max_uses', 'must be 1 for a token of one worker')
  const labels = Object.entries(request.labels)
  if (labels.length > LABELS_MAX) refuse('labels', `are more than ${LABELS_MAX}`)
  for (const [key, value] of labels) {
    if (!LABEL.test(key) || (value !== '' && !LABEL.test(value))) {
      refuse(
        `labels[${JSON.stringify(key.slice(0, 80))}]`,
        'must be 1 to 63 of A-Z a-z 0-9 . _ / -',
      )
    }
  }
  return violations
}

/** Enrols a host with a join token, or renews the certificate of the agent that calls. */
export async function enroll(
  deps: EnrollmentDeps,
  principal: Principal,
  request: EnrollRequest,
): Promise<EnrollResponse> {
  if (request.joinToken !== '') return join(deps, request)
  if (principal.kind !== 'agent') {
    throw new RotaError(
      'CREDENTIALS_MISSING',
      'join_token: is missing, and there is no client certificate',
      {
        hint: 'Make a token with `rota token create` and join with it.',
      },
    )
  }
  return issue(deps, deps.db, { ...principal, csrDer: request.csrDer })
}

async function join(deps: EnrollmentDeps, request: EnrollRequest): Promise<EnrollResponse> {
  const token = parseJoinToken(request.joinToken)
  if (token === undefined) throw new RotaError('TOKEN_INVALID', 'join_token: is not a join token')
  return deps.db.transaction().execute(async (tx) => {
    const used = await useJoinToken(tx, token.id, hashSecret(token.secret))
    if (used === undefined) {
      throw new RotaError('TOKEN_INVALID', 'join_token: is unknown, expired or used up')
    }
    const workerName = chooseName(used, request)
    const workerId = await admit(deps, tx, { used, workerName })
    await recordWorkerEvents(tx, [workerId], { change: 'joined', actor: '', message: '' })
    deps.logger.info({ worker: workerName }, 'a worker has joined')
    return issue(deps, tx, { workerId, workerName, csrDer: request.csrDer })
  })
}

function chooseName(used: UsedJoinToken, request: EnrollRequest): string {
  const fallback = request.hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, 63)
  const wanted = request.workerId || used.worker || fallback
  if (used.worker !== '' && wanted !== used.worker) {
    throw new RotaError('TOKEN_INVALID', `join_token: is for worker ${used.worker} only`)
  }
  if (WORKER_ID.test(wanted)) return wanted
  throw new RotaError(
    'NAME_INVALID',
    `worker_id: ${JSON.stringify(wanted.slice(0, 80))} is not a worker id`,
    {
      hint: 'Use 1 to 63 of a-z, 0-9, dot and hyphen, e.g. --name worker-1.',
    },
  )
}

/** A token for one worker lets it in again, e.g. after it lost its key; any other token makes a new worker only. */
async function admit(
  deps: EnrollmentDeps,
  tx: Db,
  { used, workerName }: { readonly used: UsedJoinToken; readonly workerName: string },
): Promise<WorkerId> {
  const uid = newId(deps.clock, deps.random)
  const created = await insertWorker(tx, { uid, name: workerName, labels: used.labels })
  if (created !== undefined) return created
  const readmitted =
    used.worker === '' ? undefined : await readmitWorker(tx, workerName, used.labels)
  if (readmitted !== undefined) return readmitted
  throw new RotaError('WORKER_ALREADY_EXISTS', `worker ${workerName} has joined already`)
}

async function issue(
  deps: EnrollmentDeps,
  db: Db,
  agent: { readonly workerId: WorkerId; readonly workerName: string; readonly csrDer: Uint8Array },
): Promise<EnrollResponse> {
  const { chainPem, fingerprint, expiresAt } = await deps.authority.signAgent(
    agent.csrDer,
    agent.workerName,
  )
  await insertCertificate(db, { fingerprint, workerId: agent.workerId, expiresAt })
  return {
    worker: resourceName('workers', agent.workerName),
    certificateChainPem: chainPem,
    caBundlePem: deps.authority.caPem,
    expireTime: expiresAt,
  }
}

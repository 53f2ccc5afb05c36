import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { parseJoinToken } from '../../shared/join-token.ts'
import { openRawCaller } from '../support/raw-call.ts'
import {
  connectScripted,
  enrollWith,
  joinScripted,
  makeAgentKey,
  type ScriptedIdentity,
  type ScriptedSession,
} from '../support/scripted-agent.ts'
import { seconds, shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'
import { until } from '../support/until.ts'

let rota: TestCoordinator
let log = ''
/** Its certificate ends while the other tests run. */
let expiring: { readonly identity: ScriptedIdentity; readonly session: ScriptedSession }

beforeAll(async () => {
  const write = (chunk: Buffer, _: string, done: () => void) => {
    log += chunk.toString()
    done()
  }
  const logger = pino({ level: 'trace' }, new Writable({ write }))
  rota = await startTestCoordinator(['--agent-certificate-ttl', '10s'], { logger })
  const identity = await joinScripted(rota, 'expiring-1')
  expiring = { identity, session: await connectScripted(rota, identity) }
})

afterAll(async () => {
  await rota.remove()
})

async function createToken(request: object = {}): Promise<string> {
  return (await rota.workers.createEnrollmentToken(request)).token
}

async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    return error instanceof RotaError ? error.reason : String(error)
  }
}

describe('a join token', () => {
  test('lets in one worker, once', async () => {
    const token = await createToken()
    await joinScripted(rota, 'once-1', token)
    expect(await reasonOf(joinScripted(rota, 'once-2', token))).toBe('TOKEN_INVALID')
  })

  test('used by ten at once lets in one', async () => {
    const token = await createToken()
    const joins = Array.from({ length: 10 }, (_, index) =>
      reasonOf(joinScripted(rota, `crowd-${index}`, token)),
    )
    const reasons = await Promise.all(joins)
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    expect(reasons.filter((reason) => reason === 'TOKEN_INVALID')).toHaveLength(9)
    const { rows } = await sql`select from rota.worker where name like 'crowd-%'`.execute(rota.db)
    expect(rows).toHaveLength(1)
  })

  test('of several uses lets in as many', async () => {
    const token = await createToken({ maxUses: 3 })
    const joins = Array.from({ length: 6 }, (_, index) =>
      reasonOf(joinScripted(rota, `trio-${index}`, token)),
    )
    expect((await Promise.all(joins)).filter((reason) => reason === 'done')).toHaveLength(3)
  })

  test('that has expired is refused', async () => {
    const { token, expireTime } = await rota.workers.createEnrollmentToken({ ttl: duration('1s') })
    expect(expireTime?.getTime()).toBeLessThan(Date.now() + 2_000)
    await until('it has expired', () => Date.now() > expireTime!.getTime() + 100)
    expect(await reasonOf(joinScripted(rota, 'late-1', token))).toBe('TOKEN_INVALID')
  })

  test('of one worker lets in that one only', async () => {
    const token = await createToken({ worker: 'workers/bound-1' })
    expect(await reasonOf(joinScripted(rota, 'bound-2', token))).toBe('TOKEN_INVALID')
    expect(await reasonOf(joinScripted(rota, 'bound-1', token))).toBe('done')
  })

  test.each([
    ['garbage', 'nonsense'],
    ['a wrong secret', `rota-join-${'0'.repeat(16)}.${'A'.repeat(43)}.${'0'.repeat(64)}`],
    ['the admin token', 'ADMIN'],
  ])('that is %s is refused', async (_, text) => {
    const token = text === 'ADMIN' ? rota.token() : text
    expect(await reasonOf(joinScripted(rota, 'nobody-1', token))).toBe('TOKEN_INVALID')
  })

  test('with the secret of another is refused', async () => {
    const [one, two] = [parseJoinToken(await createToken())!, parseJoinToken(await createToken())!]
    const mixed = `rota-join-${one.id}.${two.secret}.${one.caDigest}`
    expect(await reasonOf(joinScripted(rota, 'mixed-1', mixed))).toBe('TOKEN_INVALID')
  })

  test('is not used up by a join that fails', async () => {
    const joinToken = await createToken()
    const broken = enrollWith(rota, {
      joinToken,
      csrDer: Buffer.from('garbage'),
      workerId: 'try-1',
    })
    expect(await reasonOf(broken)).toBe('CSR_INVALID')
    const { csrDer } = makeAgentKey()
    expect(await reasonOf(enrollWith(rota, { joinToken, csrDer, workerId: 'Bad Name' }))).toBe(
      'NAME_INVALID',
    )
    expect(await reasonOf(joinScripted(rota, 'try-1', joinToken))).toBe('done')
  })

  test('does not take the name of a worker that is there', async () => {
    await joinScripted(rota, 'taken-1')
    expect(await reasonOf(joinScripted(rota, 'taken-1'))).toBe('WORKER_ALREADY_EXISTS')
  })

  test.each([
    ['half a second', { ttl: duration('0.5s') }],
    ['25 hours', { ttl: duration('90000s') }],
    ['less than no uses', { maxUses: -1 }],
    ['twenty thousand uses', { maxUses: 20_000 }],
    ['two uses of one worker', { worker: 'workers/x', maxUses: 2 }],
    ['a label with a space', { labels: { 'a b': 'c' } }],
  ])('is not made for %s', async (_, request) => {
    expect(await reasonOf(createToken(request))).toBe('FIELD_INVALID')
  })
})

describe('a certificate request', () => {
  test.each([
    ['empty', () => Buffer.of()],
    ['noise', () => Buffer.from('not a request at all')],
    ['cut short', () => makeAgentKey().csrDer.subarray(0, 60)],
    ['with a changed byte in its key', () => changed(makeAgentKey().csrDer, 60)],
    ['with a changed signature', () => changed(makeAgentKey().csrDer, -5)],
    ['a mebibyte of zeros', () => Buffer.alloc(900_000)],
  ])('that is %s is refused', async (_, make) => {
    const joinToken = await createToken()
    const call = enrollWith(rota, { joinToken, csrDer: make(), workerId: 'csr-1' })
    expect(await reasonOf(call)).toBe('CSR_INVALID')
  })
})

describe('a certificate', () => {
  test('is valid for hosts whose clocks are an hour behind, or that of its coordinator ahead', async () => {
    const lasting = await startTestCoordinator([])
    try {
      const { chainPem } = await joinScripted(lasting, 'behind-1')
      const pems = [chainPem, readFileSync(lasting.files.caCertificate, 'utf8')]
      for (const pem of pems) {
        const { validFromDate } = new X509Certificate(pem)
        expect(Date.now() - validFromDate.getTime()).toBeGreaterThan(2 * 3_600_000)
      }
    } finally {
      await lasting.remove()
    }
  })

  test('renews itself; the one before stays good until it ends', async () => {
    const identity = await joinScripted(rota, 'renewing-1')
    const { keyPem, csrDer } = makeAgentKey('somebody-else')
    const renewed = await enrollWith(rota, { csrDer }, identity)
    // The name in the request is not looked at.
    expect(renewed.worker).toBe('workers/renewing-1')
    const next: ScriptedIdentity = {
      name: 'renewing-1',
      keyPem,
      chainPem: renewed.certificateChainPem,
    }
    for (const each of [identity, next]) {
      const session = await connectScripted(rota, each)
      expect(session.welcome.worker).toBe('workers/renewing-1')
      session.cut()
    }
  })

  test('is revoked when its worker is let in again', async () => {
    const before = await joinScripted(rota, 'again-1')
    const token = await createToken({ worker: 'workers/again-1' })
    const after = await joinScripted(rota, 'again-1', token)
    expect(await reasonOf(connectScripted(rota, before))).toBe('CERTIFICATE_INVALID')
    const { csrDer } = makeAgentKey()
    expect(await reasonOf(enrollWith(rota, { csrDer }, before))).toBe('CERTIFICATE_INVALID')
    const session = await connectScripted(rota, after)
    session.cut()
  })

  test('that has expired ends the stream that it opened, and opens no other', async () => {
    expect((await expiring.session.ended).reason).toBe('CERTIFICATE_INVALID')
    expect(['CERTIFICATE_INVALID', 'CREDENTIALS_MISSING']).toContain(
      await reasonOf(connectScripted(rota, expiring.identity)),
    )
  })
})

test('labels of the token win over those that the agent claims', async () => {
  const token = await createToken({ labels: { region: 'eu' } })
  const identity = await joinScripted(rota, 'labelled-1', token)
  const session = await connectScripted(rota, identity, { labels: { region: 'us', tier: 'gold' } })
  const { worker } = await rota.workers.getWorker({ name: 'workers/labelled-1' })
  expect(worker?.labels).toEqual({ region: 'eu', tier: 'gold' })
  session.cut()
})

test('secrets are kept from other users of the machine', () => {
  for (const file of [rota.files.adminToken, rota.files.serverKey]) {
    expect(statSync(file).mode & 0o777, file).toBe(0o600)
  }
  expect(statSync(rota.files.folder).mode & 0o777).toBe(0o700)
})

test('no secret is ever in the log, nor in the database', async () => {
  const joinToken = await createToken()
  const secrets = [rota.token(), parseJoinToken(joinToken)!.secret]
  await rota.addAgent('logged-1')
  await rota.createJob('logged', shell('echo fine'))
  await rota.ended((await rota.trigger('logged')).name)
  const wrong = 'rota-wrong-token-of-somebody-who-mistyped'
  const caller = openRawCaller(rota, { authorization: `Bearer ${wrong}` })
  await caller.call('/rota.v1.JobService/ListJobs', 'unary', Buffer.of())
  caller.close()
  await reasonOf(joinScripted(rota, 'logged-2', `${joinToken}x`))
  await joinScripted(rota, 'logged-2', joinToken)
  await reasonOf(joinScripted(rota, 'logged-3', joinToken))
  const key = readFileSync(join(rota.dataDir, 'agents', 'logged-1', 'agent.key'), 'utf8')
  const lines = (pem: string) =>
    pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-'))
  secrets.push(wrong, rota.database.clusterKey, ...lines(key))
  expect(log).toContain('a worker has joined')
  for (const secret of secrets) expect(log.includes(secret), secret.slice(0, 12)).toBe(false)
  const { rows } = await sql<{
    all: string
  }>`select query_to_xml('select * from rota.join_token', true, false, '')::text
    || query_to_xml('select * from rota.api_token', true, false, '')::text
    || query_to_xml('select * from rota.authority', true, false, '')::text as all`.execute(rota.db)
  for (const secret of secrets) expect(rows[0]?.all.includes(secret)).toBe(false)
})

function duration(text: string) {
  const { seconds: whole, nanos } = seconds(text)
  return { seconds: BigInt(whole), nanos }
}

function changed(bytes: Buffer, index: number): Buffer {
  const copy = Buffer.from(bytes)
  const at = index < 0 ? copy.length + index : index
  copy[at] = copy[at]! ^ 0x55
  return copy
}

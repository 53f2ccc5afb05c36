import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../agent/config.ts'
import { ensureJoined } from '../../agent/identity/ensure-joined.ts'
import { systemClock as clock } from '../../shared/clock.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { systemRandom as random } from '../../shared/random.ts'
import { createFakeAuthority } from '../support/fake-authority.ts'
import { FakeCoordinator } from '../support/fake-coordinator.ts'
import { createTestAgent, startCoordinator, temporaryDataDir } from '../support/test-agent.ts'
import { until } from '../support/until.ts'

const logger = pino({ level: 'silent' })

interface Joining {
  readonly coordinator: { readonly address: string }
  readonly dataDir: string
  readonly token: string
  readonly command?: 'run' | 'join'
  readonly signal?: AbortSignal
}

function joinWith({ coordinator, dataDir, token, command = 'join', signal }: Joining) {
  const place = ['--data-dir', dataDir, '--coordinator', coordinator.address, '--name', 'worker-7']
  const config = readConfig([command, ...place], { ROTA_JOIN_TOKEN: token })
  const never = new AbortController().signal
  return ensureJoined(config, { clock, random, logger, signal: signal ?? never })
}

test('joining stores an identity that only the owner can read the key of', async () => {
  const coordinator = await startCoordinator()
  const dataDir = join(await temporaryDataDir(), 'new')
  const { identity, settings } = await joinWith({
    coordinator,
    dataDir,
    token: coordinator.joinToken(),
  })
  expect(settings).toEqual({ coordinator: coordinator.address, worker: 'worker-7' })
  const modes = ['.', 'agent.key', 'agent.json'].map(
    (file) => statSync(join(dataDir, file)).mode & 0o777,
  )
  expect(modes).toEqual([0o700, 0o600, 0o600])
  const certificate = new X509Certificate(identity.certificatePem)
  expect(certificate.subject).toBe('CN=worker-7')
  expect(certificate.checkIssued(new X509Certificate(coordinator.authority.caPem))).toBe(true)
  const request = coordinator.enrollments[0]
  expect(request).toMatchObject({ joinToken: coordinator.joinToken(), workerId: 'worker-7' })
  expect(readdirSync(dataDir).filter((file) => file.endsWith('.new'))).toEqual([])
})

test('an agent that has joined needs no token and asks nobody', async () => {
  const coordinator = await startCoordinator()
  const dataDir = await temporaryDataDir()
  const first = await joinWith({ coordinator, dataDir, token: coordinator.joinToken() })
  const again = await joinWith({ coordinator, dataDir, token: '', command: 'run' })
  expect(again.identity).toEqual(first.identity)
  expect(coordinator.enrollments).toHaveLength(1)
})

test('the token is not sent to a host that is not the coordinator it names', async () => {
  const impostor = await startCoordinator()
  const token = impostor.joinToken('0'.repeat(64))
  const joining = joinWith({ coordinator: impostor, dataDir: await temporaryDataDir(), token })
  await expect(joining).rejects.toMatchObject({
    reason: 'TOKEN_INVALID',
    message: expect.stringMatching(/its CA is not the one that the token names/),
  })
  expect(impostor.enrollments).toEqual([])
})

test('it is not sent to a host with another name under the same CA either', async () => {
  const authority = await createFakeAuthority()
  const stolen = await FakeCoordinator.start({ authority, names: ['worker-1'] })
  onTestFinished(() => stolen.stop())
  const joining = joinWith({
    coordinator: stolen,
    dataDir: await temporaryDataDir(),
    token: stolen.joinToken(),
  })
  await expect(joining).rejects.toMatchObject({ reason: 'TOKEN_INVALID' })
  expect(stolen.enrollments).toEqual([])
})

test.each([
  ['rota-join-nonsense', 'TOKEN_INVALID'],
  ['', 'CREDENTIALS_MISSING'],
])('the token %j is refused before anybody is asked', async (token, reason) => {
  const coordinator = { address: '127.0.0.1:1' }
  const dataDir = await temporaryDataDir()
  await expect(joinWith({ coordinator, dataDir, token })).rejects.toMatchObject({ reason })
})

test('what the coordinator says of a token is said to the user', async () => {
  const coordinator = await startCoordinator({
    refusal: new RotaError('TOKEN_INVALID', 'join_token: is used up'),
  })
  const joining = joinWith({
    coordinator,
    dataDir: await temporaryDataDir(),
    token: coordinator.joinToken(),
    command: 'run',
  })
  await expect(joining).rejects.toMatchObject({ message: 'join_token: is used up' })
})

test('join fails when nobody answers; run waits until somebody does', async () => {
  const coordinator = await startCoordinator()
  const { authority, port } = coordinator
  const token = coordinator.joinToken()
  await coordinator.stop()
  const dataDir = await temporaryDataDir()
  await expect(joinWith({ coordinator, dataDir, token })).rejects.toMatchObject({
    reason: 'UNREACHABLE',
  })
  const stopping = new AbortController()
  const stopped = joinWith({ coordinator, dataDir, token, command: 'run', signal: stopping.signal })
  stopping.abort()
  await expect(stopped).rejects.toThrow()
  const waiting = joinWith({ coordinator, dataDir, token, command: 'run' })
  const back = await FakeCoordinator.start({ authority, port })
  onTestFinished(() => back.stop())
  expect((await waiting).settings.worker).toBe('worker-7')
})

test('a certificate is renewed after half of its life, and the agent comes back with it', async () => {
  const coordinator = await startCoordinator()
  const half = {
    notBefore: new Date(Date.now() - 10_000_000),
    notAfter: new Date(Date.now() + 3_000_000),
  }
  coordinator.script.validity = half
  const dataDir = await temporaryDataDir()
  await joinWith({ coordinator, dataDir, token: coordinator.joinToken() })
  const files = () =>
    ['agent.key', 'agent.crt'].map((file) => readFileSync(join(dataDir, file), 'utf8'))
  const [key, certificate] = files()
  coordinator.script.validity = {}
  const agent = await createTestAgent({ coordinator, dataDir })
  await agent.start()
  await until('it renews', () => coordinator.enrollments.length === 2)
  expect(coordinator.enrollments[1]).toMatchObject({ joinToken: '', workerId: 'worker-7' })
  await until('it is back', () => coordinator.sessions.filter(({ isOver }) => !isOver).length === 1)
  await until('the file is new', () => files()[1] !== certificate)
  expect(files()[0]).toBe(key)
  await until('it says so', () => agent.log.some(({ msg }) => msg === 'certificate renewed'))
})

test('an expired certificate is said clearly', async () => {
  const coordinator = await startCoordinator()
  coordinator.script.validity = {
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + 1_500),
  }
  const dataDir = await temporaryDataDir()
  await joinWith({ coordinator, dataDir, token: coordinator.joinToken() })
  await sleep(1_600)
  const agent = await createTestAgent({ coordinator, dataDir })
  await agent.start()
  await until('it says so', () => agent.log.some(({ msg }) => /expired.*rota agent join/.test(msg)))
})

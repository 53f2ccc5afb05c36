/**
 * A peer that speaks the agent protocol by hand: it joins for real, over real TLS, and then says exactly what the test
 * says. Only heartbeats go by themselves, until `silence`.
 */
import { createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type ChannelCredentials,
  type ClientDuplexStream,
  credentials,
  type ServiceError,
} from '@grpc/grpc-js'
import { createCertificateRequest } from '../../agent/identity/certificate-request.ts'
import {
  AgentServiceClient,
  type Assignment,
  ConnectRequest,
  type ConnectResponse,
  type Drain,
  type EnrollRequest,
  type EnrollResponse,
  Finished,
  type Goodbye,
  Heartbeat,
  Hello,
  type HostLoad,
  PushLogsRequest,
  type PushLogsResponse,
  Report,
  type Stop_Target,
  type Welcome,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome, type LogStream } from '../../proto/gen/rota/v1/execution.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import { durationToMs } from '../../shared/duration.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import { startRelay } from './fake-coordinator.ts'
import type { TestCoordinator } from './test-coordinator.ts'
import { until } from './until.ts'

/** All that a scripted agent needs of a coordinator. */
export type ScriptedTarget = Pick<TestCoordinator, 'address' | 'workers' | 'files'>

/** Of a key that its owner made, as an agent would. */
export interface AgentKey {
  readonly keyPem: string
  readonly csrDer: Buffer
}

export function makeAgentKey(commonName = 'scripted'): AgentKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { keyPem, csrDer: createCertificateRequest(createPrivateKey(keyPem), commonName) }
}

export interface ScriptedIdentity {
  readonly name: string
  readonly keyPem: string
  readonly chainPem: string
}

/** Calls Enroll with what the test wants to say; `identity` to come with a certificate. */
export async function enrollWith(
  rota: ScriptedTarget,
  request: Partial<EnrollRequest>,
  identity?: ScriptedIdentity,
): Promise<EnrollResponse> {
  const client = openAgentClient(rota, rota.address(), identity)
  const whole = { joinToken: '', csrDer: Buffer.of(), hostname: '', workerId: '', ...request }
  try {
    return await new Promise((resolve, reject) => {
      client.enroll(whole, (error, response) =>
        error === null ? resolve(response) : reject(fromServiceError(error).error),
      )
    })
  } finally {
    client.close()
  }
}

/** Joins as `name` with a token of its own, or with `token`. */
export async function joinScripted(
  rota: ScriptedTarget,
  name: string,
  token?: string,
): Promise<ScriptedIdentity> {
  const joinToken = token ?? (await rota.workers.createEnrollmentToken({})).token
  const { keyPem, csrDer } = makeAgentKey(name)
  const { certificateChainPem: chainPem } = await enrollWith(rota, {
    joinToken,
    csrDer,
    workerId: name,
  })
  return { name, keyPem, chainPem }
}

export interface ScriptedSession {
  readonly welcome: Welcome
  readonly assignments: readonly Assignment[]
  readonly stops: readonly Stop_Target[]
  readonly drains: readonly Drain[]
  /** The first assignment of an execution, or of any. */
  assignment(execution?: string): Promise<Assignment>
  /** Sends a report; resolves when it was acknowledged. */
  report(report: Partial<Report>): Promise<void>
  /** Sends any message. */
  send(message: NonNullable<ConnectRequest['message']>): void
  readonly goodbyes: () => readonly Goodbye[]
  /** What it was told of other coordinators since Welcome. */
  coordinators(): readonly string[]
  /** The highest heartbeat that was answered. */
  answered(): bigint
  silence(): void
  /** What the heartbeats from now on say of the host; the first one goes at once. */
  sayLoad(load: HostLoad): void
  /** Destroys the TCP connection under it, without a word. */
  cut(): void
  /** How the coordinator ended the stream. */
  readonly ended: Promise<RotaError>
}

/** Begins a session; it has the capability `shell` and 4 slots unless `hello` says otherwise. */
export async function connectScripted(
  rota: ScriptedTarget,
  identity: ScriptedIdentity,
  hello: Partial<Hello> = {},
): Promise<ScriptedSession> {
  const relay = await startRelay(Number(rota.address().split(':')[1]))
  const client = openAgentClient(rota, relay.address, identity)
  const stream = client.connect()
  const heard = listen(stream)
  const send: ScriptedSession['send'] = (message) =>
    void stream.write(ConnectRequest.fromPartial({ message }))
  send({ $case: 'hello', value: toHello(hello) })
  const welcome = await Promise.race([
    until('the coordinator welcomes', () => heard.welcome()),
    heard.ended.then((error) => Promise.reject(error)),
  ])
  let sequence = 0n
  let load: HostLoad | undefined
  const beat = () => {
    sequence += 1n
    const said = { sequence, agentTime: new Date(), ...(load && { load }) }
    send({ $case: 'heartbeat', value: Heartbeat.fromPartial(said) })
  }
  const timer = setInterval(beat, durationToMs(welcome.heartbeatInterval))
  const silence = () => clearInterval(timer)
  void heard.ended.then(silence)
  let reports = 0n
  return {
    ...heard,
    welcome,
    send,
    silence,
    sayLoad(said) {
      load = said
      beat()
    },
    assignment: (execution) =>
      until(`${execution ?? 'something'} is assigned to ${identity.name}`, () =>
        heard.assignments.find((each) => execution === undefined || each.execution === execution),
      ),
    async report(report) {
      reports += 1n
      const value = Report.fromPartial({ ...report, sequence: reports })
      send({ $case: 'report', value })
      await until('the report is acknowledged', () => heard.acknowledged() >= value.sequence)
    },
    cut() {
      silence()
      relay.stop()
      client.close()
    },
  }
}

/** Opens a stream with this message instead of a hello; answers how the coordinator ends it. */
export async function sayAtOnce(
  rota: ScriptedTarget,
  identity: ScriptedIdentity,
  message: ConnectRequest['message'],
): Promise<RotaError> {
  const client = openAgentClient(rota, rota.address(), identity)
  const stream = client.connect()
  const { ended } = listen(stream)
  stream.write(ConnectRequest.fromPartial({ message }))
  return ended.finally(() => client.close())
}

function listen(stream: ClientDuplexStream<ConnectRequest, ConnectResponse>) {
  const assignments: Assignment[] = []
  const stops: Stop_Target[] = []
  const drains: Drain[] = []
  let welcome: Welcome | undefined
  let acknowledged = 0n
  let answered = 0n
  let coordinators: readonly string[] = []
  const goodbyes: Goodbye[] = []
  stream.on('data', ({ message }: ConnectResponse) => {
    switch (message?.$case) {
      case 'welcome':
        welcome = message.value
        break
      case 'assign':
        assignments.push(...message.value.assignments)
        break
      case 'stop':
        stops.push(...message.value.targets)
        break
      case 'reportAck':
        acknowledged = message.value.sequence
        break
      case 'heartbeatAck':
        answered = message.value.sequence
        break
      case 'coordinators':
        coordinators = message.value.addresses
        break
      case 'goodbye':
        goodbyes.push(message.value)
        break
      case 'drain':
        drains.push(message.value)
        break
      case undefined:
        throw new Error('the coordinator sent an empty message')
    }
  })
  const ended = new Promise<RotaError>((resolve) => {
    stream.on('error', (error: ServiceError) => resolve(fromServiceError(error).error))
  })
  return {
    assignments,
    stops,
    drains,
    ended,
    welcome: () => welcome,
    acknowledged: () => acknowledged,
    coordinators: () => coordinators,
    goodbyes: () => goodbyes,
    answered: () => answered,
  }
}

/** Sends chunks of output and answers up to which byte each was stored. */
export async function pushLogs(
  rota: ScriptedTarget,
  identity: ScriptedIdentity,
  chunks: readonly Partial<PushLogsRequest>[],
): Promise<bigint[]> {
  const client = openAgentClient(rota, rota.address(), identity)
  const stream = client.pushLogs()
  const ends: bigint[] = []
  try {
    await new Promise<void>((resolve, reject) => {
      stream.on('data', ({ offset }: PushLogsResponse) => ends.push(offset))
      stream.on('end', resolve)
      stream.on('error', (error: ServiceError) => reject(fromServiceError(error).error))
      for (const chunk of chunks) stream.write(PushLogsRequest.fromPartial(chunk))
      stream.end()
    })
    return ends
  } finally {
    client.close()
  }
}

/** What an agent says of an attempt that succeeded, but for `change`. */
export function finished(
  attempt: { readonly execution: string; readonly epoch: bigint },
  change: Partial<Finished> = {},
): Finished {
  const { execution, epoch } = attempt
  const now = new Date()
  const outcome = AttemptOutcome.SUCCEEDED
  return Finished.fromPartial({ execution, epoch, outcome, exitCode: 0, endTime: now, ...change })
}

/** One chunk of output of an attempt. */
export function chunk(
  attempt: { readonly execution: string; readonly epoch: bigint },
  place: { readonly stream: LogStream; readonly offset: number; readonly data: Buffer },
): Partial<PushLogsRequest> {
  const { execution, epoch } = attempt
  return { execution, epoch, ...place, offset: BigInt(place.offset) }
}

function toHello(hello: Partial<Hello>): Hello {
  return Hello.fromPartial({
    protocolVersion: 1,
    agentVersion: '0.0.0',
    hostname: 'scripted',
    platform: 'test',
    bootId: randomUUID(),
    slots: 4,
    capabilities: ['shell'],
    ...hello,
  })
}

/** A client with or without a certificate. */
export function openAgentClient(
  rota: ScriptedTarget,
  address: string,
  identity?: Pick<ScriptedIdentity, 'keyPem' | 'chainPem'>,
): InstanceType<typeof AgentServiceClient> {
  return new AgentServiceClient(address, agentCredentials(rota, identity), CLIENT_CHANNEL_OPTIONS)
}

export function agentCredentials(
  rota: ScriptedTarget,
  identity?: Pick<ScriptedIdentity, 'keyPem' | 'chainPem'>,
): ChannelCredentials {
  const ca = readFileSync(rota.files.caCertificate)
  return identity === undefined
    ? credentials.createSsl(ca)
    : credentials.createSsl(ca, Buffer.from(identity.keyPem), Buffer.from(identity.chainPem))
}

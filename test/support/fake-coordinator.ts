/**
 * A coordinator for tests of the agent: real gRPC over real TLS, but it does only what the test says.
 *
 * By default it welcomes, answers heartbeats, acknowledges reports and stores logs; `script` changes each of these.
 *
 * Above 400 lines: one service whose every method a test may script.
 */
import { createServer, type Server as TcpServer } from 'node:net'
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import {
  AgentServiceService,
  type Assignment,
  type ConnectRequest,
  type ConnectResponse,
  type EnrollRequest,
  type EnrollResponse,
  type Finished,
  type Heartbeat,
  type Hello,
  type PushLogsRequest,
  type PushLogsResponse,
  type Report,
  type Welcome,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { COORDINATOR_TLS_NAME, SERVER_OPTIONS } from '../../shared/channel-options.ts'
import { durationFromMs } from '../../shared/duration.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import { formatJoinToken } from '../../shared/join-token.ts'
import { createFakeAuthority, type FakeAuthority, type Validity } from './fake-authority.ts'

export interface Script {
  welcomes: boolean
  answersHeartbeats: boolean
  acknowledges: boolean
  leaseMs: number
  heartbeatMs: number
  /** Other coordinators, as Welcome names them. */
  coordinators: string[]
  /** Versions of the protocol that it speaks. */
  protocolVersions: readonly number[]
  /** Refuses each Connect with this. */
  refusal: RotaError | undefined
  /** What becomes of a piece of output; default: it is stored where it fits. */
  takesLog: (request: PushLogsRequest, logs: StoredLogs) => PushLogsResponse | RotaError | undefined
  /** Of the certificates it signs. */
  validity: Partial<Validity>
}

type ConnectCall = ServerDuplexStream<ConnectRequest, ConnectResponse>
type PushLogsCall = ServerDuplexStream<PushLogsRequest, PushLogsResponse>

/** One Connect stream. */
export class FakeSession {
  readonly hello: Hello
  readonly reports: Report[] = []
  readonly heartbeats: Heartbeat[] = []
  readonly drainProgress: number[] = []
  isOver = false
  readonly #call: ConnectCall
  readonly #welcome: Welcome
  readonly #changed: () => void

  constructor(options: {
    readonly hello: Hello
    readonly call: ConnectCall
    readonly welcome: Welcome
    readonly changed: () => void
  }) {
    this.hello = options.hello
    this.#call = options.call
    this.#welcome = options.welcome
    this.#changed = options.changed
  }

  /** Done at once unless the script does not welcome. */
  welcome(): void {
    this.send({ $case: 'welcome', value: this.#welcome })
  }

  send(message: NonNullable<ConnectResponse['message']>): void {
    this.#call.write({ message })
  }

  assign(...assignments: Assignment[]): void {
    this.send({ $case: 'assign', value: { assignments } })
  }

  stop(
    ref: { readonly execution: string; readonly epoch: bigint },
    reason = 'as asked',
    graceMs?: number,
  ): void {
    const { execution, epoch } = ref
    const killGrace = graceMs === undefined ? undefined : durationFromMs(graceMs)
    const target = { execution, epoch, reason, killGrace, giveUp: false }
    this.send({ $case: 'stop', value: { targets: [target] } })
  }

  acknowledge(report: Report): void {
    this.send({ $case: 'reportAck', value: { sequence: report.sequence } })
  }

  /** Ends the stream; an error goes along as the coordinator would send it. */
  end(error?: RotaError): void {
    if (error === undefined) this.#call.end()
    else this.#call.emit('error', toGrpcStatus(error, 'test'))
    this.over()
  }

  over(): void {
    this.isOver = true
    this.#changed()
  }

  get finished(): Finished[] {
    return this.reports.flatMap((report) => report.finished)
  }
}

/** Output as it was pushed, by attempt and stream. */
export class StoredLogs {
  readonly #streams = new Map<string, Buffer>()

  append(request: PushLogsRequest): PushLogsResponse {
    const { execution, epoch, stream } = request
    const stored = this.read(execution, epoch, stream)
    const from = stored.length - Number(request.offset)
    const fresh = from >= 0 ? request.data.subarray(from) : Buffer.alloc(0)
    this.#streams.set(keyOf(request), Buffer.concat([stored, fresh]))
    return { execution, epoch, stream, offset: BigInt(stored.length + fresh.length) }
  }

  read(execution: string, epoch: bigint, stream: number): Buffer {
    return this.#streams.get(keyOf({ execution, epoch, stream })) ?? Buffer.alloc(0)
  }
}

function keyOf(of: {
  readonly execution: string
  readonly epoch: bigint
  readonly stream: number
}): string {
  return `${of.execution}.${of.epoch}.${of.stream}`
}

export class FakeCoordinator {
  readonly authority: FakeAuthority
  readonly script: Script = {
    welcomes: true,
    answersHeartbeats: true,
    acknowledges: true,
    leaseMs: 12_000,
    heartbeatMs: 500,
    coordinators: [],
    protocolVersions: [1, 2],
    refusal: undefined,
    takesLog: (request, logs) => logs.append(request),
    validity: {},
  }
  readonly sessions: FakeSession[] = []
  readonly enrollments: EnrollRequest[] = []
  readonly logs = new StoredLogs()
  readonly pushed: PushLogsRequest[] = []
  /** Connects that it refused. */
  refusals = 0
  readonly #server: Server
  readonly #waiting = new Set<() => void>()
  #port = 0
  #sessionsTaken = 0

  private constructor(authority: FakeAuthority) {
    this.authority = authority
    // Without its statistics forceShutdown() knows no connection to end (grpc-js 1.14.7).
    this.#server = new Server({ ...SERVER_OPTIONS, 'grpc.enable_channelz': 1 })
    this.#server.addService(AgentServiceService, {
      enroll: (
        call: ServerUnaryCall<EnrollRequest, EnrollResponse>,
        done: sendUnaryData<EnrollResponse>,
      ) => {
        void this.#enroll(call.request, done)
      },
      connect: (call: ConnectCall) => this.#connect(call),
      pushLogs: (call: PushLogsCall) => this.#pushLogs(call),
    })
  }

  static async start(
    options: { authority?: FakeAuthority; names?: string[]; port?: number } = {},
  ): Promise<FakeCoordinator> {
    const authority = options.authority ?? (await createFakeAuthority())
    const coordinator = new FakeCoordinator(authority)
    const { keyPem, chainPem } = await authority.createServer(
      options.names ?? [COORDINATOR_TLS_NAME],
    )
    const credentials = ServerCredentials.createSsl(
      Buffer.from(authority.caPem),
      [{ private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) }],
      false,
    )
    coordinator.#port = await new Promise((resolve, reject) => {
      coordinator.#server.bindAsync(
        `127.0.0.1:${options.port ?? 0}`,
        credentials,
        (error, port) => {
          if (error === null) resolve(port)
          else reject(error)
        },
      )
    })
    return coordinator
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  get port(): number {
    return this.#port
  }

  /** A token that names this coordinator's CA, or another one. */
  joinToken(caDigest = this.authority.caDigest): string {
    return formatJoinToken({ id: '0123456789abcdef', secret: 'S'.repeat(43), caDigest })
  }

  /** The next session, in the order of their hellos. */
  async nextSession(): Promise<FakeSession> {
    const index = this.#sessionsTaken++
    return this.until(() => this.sessions[index], 'another session')
  }

  /** Waits until `look` finds something, looking after each message. */
  until<T>(look: () => T | undefined | false, what: string, timeoutMs = 45_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const found = look()
        if (found === undefined || found === false) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(found)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`waited ${timeoutMs} ms for ${what}`))
      }, timeoutMs)
      this.#waiting.add(check)
      check()
    })
  }

  /** The result of an attempt, on whatever session it comes. */
  async finished(ref: { readonly execution: string; readonly epoch: bigint }): Promise<Finished> {
    return this.until(
      () =>
        this.sessions
          .flatMap((session) => session.finished)
          .find(({ execution, epoch }) => execution === ref.execution && epoch === ref.epoch),
      `the result of ${ref.execution}`,
    )
  }

  /** Ends everything at once, as a crash would. */
  async stop(): Promise<void> {
    this.#server.forceShutdown()
    for (const session of this.sessions) session.over()
  }

  readonly #changed = (): void => {
    for (const check of [...this.#waiting]) check()
  }

  async #enroll(request: EnrollRequest, done: sendUnaryData<EnrollResponse>): Promise<void> {
    this.enrollments.push(request)
    const { refusal, validity } = this.script
    if (refusal !== undefined) return done(toGrpcStatus(refusal, 'test'))
    try {
      const { chainPem, commonName } = await this.authority.sign(request.csrDer, validity)
      done(null, {
        worker: `workers/${commonName}`,
        certificateChainPem: chainPem,
        caBundlePem: this.authority.caPem,
        expireTime: validity.notAfter,
      })
    } catch (error) {
      done({ code: status.INVALID_ARGUMENT, details: String(error) })
    }
    this.#changed()
  }

  #connect(call: ConnectCall): void {
    const { refusal } = this.script
    if (refusal !== undefined) {
      this.refusals += 1
      call.emit('error', toGrpcStatus(refusal, 'test'))
      return
    }
    let session: FakeSession | undefined
    call.on('data', ({ message }: ConnectRequest) => {
      if (message?.$case === 'hello') session = this.#meet(message.value, call)
      else if (session !== undefined) this.#hear(session, message)
      this.#changed()
    })
    const over = () => session?.over()
    call.on('end', () => {
      call.end()
      over()
    })
    call.on('cancelled', over)
    call.on('error', over)
  }

  #meet(hello: Hello, call: ConnectCall): FakeSession | undefined {
    const { protocolVersions } = this.script
    if (protocolVersions.includes(hello.protocolVersion)) return this.#greet(hello, call)
    const metadata = { protocol_versions: protocolVersions.join(',') }
    call.emit(
      'error',
      toGrpcStatus(new RotaError('AGENT_INCOMPATIBLE', 'no', { metadata }), 'test'),
    )
    this.refusals += 1
    return undefined
  }

  #greet(hello: Hello, call: ConnectCall): FakeSession {
    const { coordinators, heartbeatMs, leaseMs } = this.script
    const welcome = {
      worker: 'workers/worker-1',
      session: `session-${this.sessions.length + 1}`,
      heartbeatInterval: durationFromMs(heartbeatMs),
      lease: durationFromMs(leaseMs),
      serverTime: new Date(),
      coordinators,
      offerAgain: false,
    }
    const session = new FakeSession({ hello, call, welcome, changed: this.#changed })
    this.sessions.push(session)
    if (this.script.welcomes) session.welcome()
    return session
  }

  #hear(session: FakeSession, message: ConnectRequest['message']): void {
    switch (message?.$case) {
      case 'heartbeat':
        session.heartbeats.push(message.value)
        if (this.script.answersHeartbeats) {
          session.send({ $case: 'heartbeatAck', value: { sequence: message.value.sequence } })
        }
        break
      case 'report':
        session.reports.push(message.value)
        if (this.script.acknowledges) session.acknowledge(message.value)
        break
      case 'drainProgress':
        session.drainProgress.push(message.value.remaining)
        break
      default:
        throw new Error(`unexpected ${message?.$case}`)
    }
  }

  #pushLogs(call: PushLogsCall): void {
    call.on('data', (request: PushLogsRequest) => {
      this.pushed.push(request)
      const answer = this.script.takesLog(request, this.logs)
      if (answer instanceof Error) call.emit('error', toGrpcStatus(answer, 'test'))
      else if (answer !== undefined) call.write(answer)
      this.#changed()
    })
    call.on('end', () => call.end())
    call.on('error', () => {})
  }
}

/** A TCP relay in front of a coordinator; frozen, it keeps connections open and passes nothing, like a lost host. */
export async function startRelay(targetPort: number): Promise<{
  readonly address: string
  freeze(): void
  thaw(): void
  stop(): void
}> {
  const { connect } = await import('node:net')
  const sockets = new Set<ReturnType<typeof connect>>()
  let isFrozen = false
  const server: TcpServer = createServer((down) => {
    const up = connect(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [down, up],
      [up, down],
    ] as const) {
      sockets.add(from)
      from.on('data', (data) => to.write(data))
      from.on('close', () => {
        sockets.delete(from)
        if (!isFrozen) to.destroy()
      })
      from.on('error', () => {})
      if (isFrozen) from.pause()
    }
  })
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  return {
    address: `127.0.0.1:${port}`,
    freeze() {
      isFrozen = true
      for (const socket of sockets) socket.pause()
    },
    thaw() {
      isFrozen = false
      for (const socket of sockets) socket.resume()
    },
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

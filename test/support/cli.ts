/** Runs the CLI within the test, against a scripted coordinator over real gRPC and TLS. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Host, Sink } from '../../cli/host.ts'
import { runCli } from '../../cli/run.ts'
import { makeAuthority, openAuthority } from '../../coordinator/identity/certificate-authority.ts'
import { CalendarServiceService } from '../../proto/gen/rota/v1/calendar_service.ts'
import { ExecutionServiceService } from '../../proto/gen/rota/v1/execution_service.ts'
import { FreezeServiceService } from '../../proto/gen/rota/v1/freeze_service.ts'
import { JobServiceService } from '../../proto/gen/rota/v1/job_service.ts'
import { SystemServiceService } from '../../proto/gen/rota/v1/system_service.ts'
import { WorkerServiceService } from '../../proto/gen/rota/v1/worker_service.ts'
import { writeCliContext } from '../../shared/cli-context.ts'
import { systemClock } from '../../shared/clock.ts'
import { coordinatorFiles } from '../../shared/data-dir.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import { systemRandom } from '../../shared/random.ts'

const METHODS = {
  ...JobServiceService,
  ...ExecutionServiceService,
  ...WorkerServiceService,
  ...CalendarServiceService,
  ...FreezeServiceService,
  ...SystemServiceService,
}
type Methods = typeof METHODS

type RequestOf<M> = M extends { requestDeserialize: (bytes: Buffer) => infer Q } ? Q : never
type ResponseOf<M> = M extends { responseDeserialize: (bytes: Buffer) => infer R } ? R : never

/** What the scripted coordinator answers, by method; a method without a script is UNIMPLEMENTED. */
export type Script = {
  [K in keyof Methods]?: Methods[K] extends { responseStream: true }
    ? (request: RequestOf<Methods[K]>, signal: AbortSignal) => AsyncIterable<ResponseOf<Methods[K]>>
    : (request: RequestOf<Methods[K]>) => ResponseOf<Methods[K]> | Promise<ResponseOf<Methods[K]>>
}

export interface ScriptedServer {
  readonly address: string
  /** Data folder with the context that leads here. */
  readonly dataDir: string
  /** What the calls carried as `authorization`, in order. */
  readonly authorizations: string[]
  stop(): Promise<void>
}

export const REQUEST_ID = '0198c5d2-0000-7000-8000-00000000beef'
const TOKEN = 'rota-admin-test'

export async function startScriptedServer(script: Script): Promise<ScriptedServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'rota-cli-'))
  const files = coordinatorFiles(dataDir)
  const ambient = { clock: systemClock, random: systemRandom }
  const ca = await makeAuthority(ambient)
  const authority = await openAuthority({
    ...ambient,
    files,
    ca,
    names: ['127.0.0.1'],
    agentCertificateMs: 60_000,
  })
  const identity = await authority.serverIdentity()
  const authorizations: string[] = []
  const server = new Server()
  for (const service of [
    JobServiceService,
    ExecutionServiceService,
    WorkerServiceService,
    CalendarServiceService,
    FreezeServiceService,
    SystemServiceService,
  ]) {
    server.addService(service, implement(service, script, authorizations))
  }
  const credentials = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(identity.key), cert_chain: Buffer.from(identity.certificate) },
  ])
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const address = `127.0.0.1:${port}`
  await writeFile(files.caCertificate, authority.caPem)
  await writeFile(files.adminToken, `${TOKEN}\n`, { mode: 0o600 })
  writeCliContext(files.context, {
    address,
    caFile: files.caCertificate,
    tokenFile: files.adminToken,
    pid: process.pid,
  })
  return {
    address,
    dataDir,
    authorizations,
    async stop() {
      server.forceShutdown()
      await rm(dataDir, { recursive: true })
    },
  }
}

function implement(
  service: ServiceDefinition,
  script: Script,
  authorizations: string[],
): UntypedServiceImplementation {
  const note = (call: { readonly metadata: { get(key: string): unknown[] } }) =>
    authorizations.push(String(call.metadata.get('authorization')[0]))
  return Object.fromEntries(
    Object.entries(service)
      .filter(([name]) => name in script)
      .map(([name, { responseStream }]): [string, UntypedHandleCall] => {
        const answer = script[name as keyof Methods] as (...args: unknown[]) => unknown
        return [name, responseStream ? streaming(note, answer) : unary(note, answer)]
      }),
  )
}

type Note = (call: { readonly metadata: { get(key: string): unknown[] } }) => void

function unary(
  note: Note,
  answer: (request: unknown) => unknown,
): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    note(call)
    Promise.resolve()
      .then(() => answer(call.request))
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(toStatus(error)),
      )
  }
}

function streaming(
  note: Note,
  answer: (request: unknown, signal: AbortSignal) => unknown,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    note(call)
    const cancelled = new AbortController()
    call.on('cancelled', () => cancelled.abort())
    const pump = async () => {
      for await (const message of answer(
        call.request,
        cancelled.signal,
      ) as AsyncIterable<unknown>) {
        call.write(message)
      }
      call.end()
    }
    pump().catch((error: unknown) => call.emit('error', toStatus(error)))
  }
}

function toStatus(error: unknown) {
  return error instanceof RotaError
    ? toGrpcStatus(error, REQUEST_ID)
    : { code: status.UNKNOWN, details: String(error) }
}

export interface CliResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  readonly stdoutBytes: Buffer
}

export interface CliOptions {
  readonly dataDir?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** A terminal of that many columns; else a pipe. */
  readonly columns?: number
  /** Ctrl-C. */
  readonly interrupt?: AbortSignal
  /** Called with everything that was written so far, each time that something is. */
  readonly onOutput?: (soFar: { readonly stdout: string; readonly stderr: string }) => void
  readonly become?: Host['become']
}

/** `argv` begins with the command: `['job', 'list']`. */
export async function rota(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const tell = () => options.onOutput?.({ stdout: stdout.text(), stderr: stderr.text() })
  const stdout = createSink(options.columns, tell)
  const stderr = createSink(options.columns, tell)
  const host: Host = {
    clock: systemClock,
    random: systemRandom,
    env: { ROTA_DATA_DIR: options.dataDir ?? '/nonexistent', ...options.env },
    stdin: Object.assign(toStdin(options.stdin ?? ''), { isTTY: options.columns !== undefined }),
    stdout: stdout.sink,
    stderr: stderr.sink,
    interruptSignal: () => options.interrupt ?? new AbortController().signal,
    become: options.become ?? (() => Promise.reject(new Error('no other program is wanted here'))),
  }
  const exitCode = await runCli(argv, host)
  return { exitCode, stdout: stdout.text(), stderr: stderr.text(), stdoutBytes: stdout.bytes() }
}

function createSink(columns: number | undefined, tell: () => void) {
  const chunks: Buffer[] = []
  const sink: Sink = {
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write(data) {
      chunks.push(Buffer.from(data))
      tell()
      return true
    },
    once: () => undefined,
    off: () => undefined,
  }
  const bytes = () => Buffer.concat(chunks)
  return { sink, bytes, text: () => bytes().toString('utf8') }
}

async function* toStdin(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text)
}

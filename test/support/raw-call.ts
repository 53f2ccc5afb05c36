/** Calls of any method of the contract, by its descriptor, with bytes instead of messages. */
import { readFileSync } from 'node:fs'
import { createFileRegistry, type DescMethod, fromBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { Client, type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import { agentCredentials, type ScriptedIdentity } from './scripted-agent.ts'
import type { TestCoordinator } from './test-coordinator.ts'

/** Every method of every service in the descriptor set that the coordinator ships. */
export function everyMethod(): DescMethod[] {
  const bytes = readFileSync(new URL('../../proto/gen/rota.binpb', import.meta.url))
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))
  return [...registry].flatMap((type) => (type.kind === 'service' ? type.methods : []))
}

export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`
}

export interface RawCaller {
  /** The first answer, or the error. A stream is left after its first message. */
  call(path: string, kind: DescMethod['methodKind'], bytes: Buffer): Promise<Buffer | RotaError>
  close(): void
}

export interface RawCredentials {
  readonly authorization?: string
  readonly identity?: Pick<ScriptedIdentity, 'keyPem' | 'chainPem'>
}

const CALL_MS = 10_000
const asIs = (bytes: Buffer): Buffer => bytes

export function openRawCaller(rota: TestCoordinator, with_: RawCredentials = {}): RawCaller {
  const secure = agentCredentials(rota, with_.identity)
  const client = new Client(rota.address(), secure, CLIENT_CHANNEL_OPTIONS)
  const metadata = new Metadata()
  if (with_.authorization !== undefined) metadata.set('authorization', with_.authorization)
  return {
    call: (path, kind, bytes) => {
      const options = { deadline: new Date(Date.now() + CALL_MS) }
      return new Promise((resolve) => {
        const fail = (error: ServiceError) => resolve(fromServiceError(error).error)
        if (kind === 'unary') {
          client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, options, (error, answer) =>
            error === null ? resolve(answer ?? Buffer.of()) : fail(error),
          )
          return
        }
        const receive = (stream: ClientReadableStream<Buffer>) => {
          stream.on('error', fail)
          stream.on('end', () => resolve(Buffer.of()))
          stream.on('data', (answer: Buffer) => {
            resolve(answer)
            stream.cancel()
          })
        }
        if (kind === 'server_streaming') {
          receive(client.makeServerStreamRequest(path, asIs, asIs, bytes, metadata, options))
          return
        }
        const stream = client.makeBidiStreamRequest(path, asIs, asIs, metadata, options)
        receive(stream)
        stream.write(bytes)
        stream.end()
      })
    },
    close: () => client.close(),
  }
}

/**
 * grpc.reflection v1 and v1alpha, from our own descriptor set. @grpc/reflection 1.0.4 answers a wrong file graph as soon
 * as protos import each other (grpc-node #3018). The descriptors are loaded when somebody asks.
 */
import { readFileSync } from 'node:fs'
import { createFileRegistry, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import type { ServerDuplexStream, UntypedServiceImplementation } from '@grpc/grpc-js'
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../proto/gen/grpc/reflection/v1/reflection.ts'

import { RotaError } from '../../shared/errors/rota-error.ts'
import { toGrpcStatus } from '../../shared/errors/rpc-status.ts'
import type { ErrorBoundary } from './error-boundary.ts'
import { Malformed } from './serve.ts'

/** Both versions have the same messages and field numbers. */
type ReflectionCall = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>
type Answer = NonNullable<ServerReflectionResponse['messageResponse']>

interface Descriptors {
  readonly services: readonly string[]
  /** The bytes of a file and of all that it imports. */
  fileByName(name: string): Uint8Array[] | undefined
  fileBySymbol(symbol: string): Uint8Array[] | undefined
}

const NOT_FOUND = 5
const UNIMPLEMENTED = 12

export function createReflection(boundary: ErrorBoundary): UntypedServiceImplementation {
  let loaded: Descriptors | undefined
  const descriptors = () => {
    loaded ??= loadDescriptors()
    return loaded
  }
  return {
    serverReflectionInfo: (call: ReflectionCall) => {
      call.on('data', (request: ServerReflectionRequest | Malformed) => {
        if (request instanceof Malformed) {
          const malformed = new RotaError('MESSAGE_MALFORMED', 'the request cannot be decoded')
          const { known, requestId } = boundary.explain(malformed, {
            method: 'ServerReflectionInfo',
          })
          call.emit('error', toGrpcStatus(known, requestId))
          return
        }
        const isTaken = call.write({
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(descriptors(), request),
        })
        // Who asks and does not read the answers is not asked for more.
        if (!isTaken) call.pause()
      })
      call.on('drain', () => call.resume())
      call.on('end', () => call.end())
    },
  }
}

function answer(descriptors: Descriptors, { messageRequest }: ServerReflectionRequest): Answer {
  switch (messageRequest?.$case) {
    case 'listServices': {
      const service = descriptors.services.map((name) => ({ name }))
      return { $case: 'listServicesResponse', value: { service } }
    }
    case 'fileByFilename':
      return files(descriptors.fileByName(messageRequest.value), messageRequest.value)
    case 'fileContainingSymbol':
      return files(descriptors.fileBySymbol(messageRequest.value), messageRequest.value)
    case 'fileContainingExtension':
    case 'allExtensionNumbersOfType':
    case undefined:
      return failure(UNIMPLEMENTED, 'extensions are not served')
  }
}

function files(found: Uint8Array[] | undefined, wanted: string): Answer {
  if (found === undefined) return failure(NOT_FOUND, `${wanted.slice(0, 200)} is not known here`)
  const fileDescriptorProto = found.map((bytes) => Buffer.from(bytes))
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto } }
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { $case: 'errorResponse', value: { errorCode, errorMessage } }
}

function loadDescriptors(): Descriptors {
  const bytes = readFileSync(new URL('../../proto/gen/rota.binpb', import.meta.url))
  const set: FileDescriptorSet = fromBinary(FileDescriptorSetSchema, bytes)
  const registry = createFileRegistry(set)
  const protos = new Map(set.file.map((file) => [file.name, file]))
  const fileByName = (name: string): Uint8Array[] | undefined => {
    if (!protos.has(name)) return undefined
    const wanted = new Set([name])
    for (const each of wanted)
      for (const needed of protos.get(each)?.dependency ?? []) wanted.add(needed)
    return [...wanted].flatMap((each) => {
      const proto = protos.get(each)
      return proto === undefined ? [] : [toBinary(FileDescriptorProtoSchema, proto)]
    })
  }
  return {
    services: [...registry].flatMap((type) => (type.kind === 'service' ? [type.typeName] : [])),
    fileByName,
    fileBySymbol(symbol) {
      const owner = registry.get(symbol) ?? registry.get(symbol.slice(0, symbol.lastIndexOf('.')))
      return owner === undefined ? undefined : fileByName(`${owner.file.name}.proto`)
    },
  }
}

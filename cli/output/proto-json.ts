/** Exactly the API's JSON: messages go through the descriptors (`proto/gen/rota.binpb`), as the gateway's do. */
import { readFileSync } from 'node:fs'
import {
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type JsonValue,
  toJson,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { assert } from '../../shared/assert.ts'

/** A message of the generated code with what is needed to encode it. */
export interface ApiMessage<T> {
  /** Full name, e.g. `rota.v1.Job`. */
  readonly typeName: string
  readonly codec: { encode(message: T): { finish(): Uint8Array } }
  readonly message: T
}

export type MachineFormat = 'json' | 'jsonl' | 'yaml'

let registry: FileRegistry | undefined

/** Every message of the contract; read once, when first needed. */
export function loadRegistry(): FileRegistry {
  registry ??= createFileRegistry(
    fromBinary(
      FileDescriptorSetSchema,
      readFileSync(new URL('../../proto/gen/rota.binpb', import.meta.url)),
    ),
  )
  return registry
}

export function messageSchema(typeName: string): DescMessage {
  const schema = loadRegistry().getMessage(typeName)
  assert(schema !== undefined, `${typeName} is not in the descriptors`)
  return schema
}

/** The canonical JSON of the message (https://protobuf.dev/programming-guides/json). */
export function toProtoJson<T>({ typeName, codec, message }: ApiMessage<T>): JsonValue {
  const schema = messageSchema(typeName)
  const bytes = codec.encode(message).finish()
  return toJson(schema, fromBinary(schema, bytes), { registry: loadRegistry() })
}

/** Ended by a newline. */
export async function renderMessage<T>(
  message: ApiMessage<T>,
  format: MachineFormat,
): Promise<string> {
  return renderJson(toProtoJson(message), format)
}

export async function renderJson(json: JsonValue, format: MachineFormat): Promise<string> {
  switch (format) {
    case 'json':
      return `${JSON.stringify(json, null, 2)}\n`
    case 'jsonl':
      return `${JSON.stringify(json)}\n`
    case 'yaml': {
      const { stringify } = await import('yaml')
      return stringify(json, { lineWidth: 0 })
    }
  }
}

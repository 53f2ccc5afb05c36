/** Encodes messages with one writer for all of them: each of its own would cost two buffers outside of the heap. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'

interface Encoder<Message> {
  encode(message: Message, writer: BinaryWriter): BinaryWriter
}

/** A writer that has grown beyond this is not kept, in bytes. */
const KEPT_BYTES_MAX = 64 * 1024

let writer = new BinaryWriter()

/** The message's encoding. */
export function encodeMessage<Message>(encoder: Encoder<Message>, message: Message): Buffer {
  const own = writer
  // Whatever an encoder throws, nobody goes on with what it wrote.
  writer = new BinaryWriter()
  const bytes = encoder.encode(message, own).finish()
  if (bytes.length <= KEPT_BYTES_MAX) writer = own
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

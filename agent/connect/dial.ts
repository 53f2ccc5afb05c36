/** The real stream to a coordinator. Nothing above 256 KiB goes out: one message too large would end the whole stream. */
import type { ChannelCredentials } from '@grpc/grpc-js'
import {
  AgentServiceClient,
  AgentServiceService,
  ConnectRequest,
} from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { assert } from '../../shared/assert.ts'
import { CONTROL_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { Clock } from '../../shared/clock.ts'
import { encodeMessage } from '../../shared/encode-message.ts'
import type { DialledStream } from './connection.ts'
import { keepAlive } from './keepalive.ts'

const MESSAGE_BYTES_MAX = 256 * 1024

/** Opens the stream on a connection of its own. */
export function dial(
  clock: Clock,
  address: string,
  credentials: ChannelCredentials,
): DialledStream {
  const client = new AgentServiceClient(address, credentials, CONTROL_CHANNEL_OPTIONS)
  const connected = Promise.withResolvers<void>()
  client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
    if (error === undefined) connected.resolve()
  })
  const { path, responseDeserialize } = AgentServiceService.connect
  const stream = client.makeBidiStreamRequest(path, encodeRequest, responseDeserialize)
  const alive = keepAlive(clock, client, stream)
  return {
    stream,
    connected: connected.promise,
    close() {
      alive.stop()
      client.close()
    },
  }
}

/** The one time that a message is encoded, so here its size is known. */
function encodeRequest(request: ConnectRequest): Buffer {
  const bytes = encodeMessage(ConnectRequest, request)
  assert(bytes.length <= MESSAGE_BYTES_MAX, 'message too large')
  return bytes
}

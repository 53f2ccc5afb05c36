import type { ChannelOptions, ServerOptions } from '@grpc/grpc-js'

/** No message is larger, in bytes. */
export const MESSAGE_BYTES_MAX = 1024 * 1024

/** A dead peer is noticed after `time + timeout`; without these, grpc-js never notices (grpc-node #2578). */
const KEEPALIVE_TIME_MS = 3_000
const KEEPALIVE_TIMEOUT_MS = 2_000

/**
 * The name that every coordinator's certificate holds. Rota's CA signs nothing else for servers, so this name proves what
 * matters, "a coordinator of this CA", under whatever address it is reached (and TLS refuses addresses as server names).
 */
export const COORDINATOR_TLS_NAME = 'rota-coordinator'

/** Nobody asks grpc-js for its own statistics; it would keep some for every connection and call. */
const WITHOUT_STATISTICS = { 'grpc.enable_channelz': 0 }

/** Options of every client channel. Its own connection, so that cancelled calls of others cannot end it (node #56306). */
export const CLIENT_CHANNEL_OPTIONS: ChannelOptions = {
  ...WITHOUT_STATISTICS,
  'grpc.ssl_target_name_override': COORDINATOR_TLS_NAME,
  'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // Retries would buffer long streams (grpc-node #2371) and repeat calls that must not be repeated.
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  'grpc.use_local_subchannel_pool': 1,
}

/** Of an agent's control stream, which is watched by whoever reads it (agent/connect/keepalive.ts). */
export const CONTROL_CHANNEL_OPTIONS: ChannelOptions = {
  ...CLIENT_CHANNEL_OPTIONS,
  'grpc.keepalive_time_ms': -1,
}

/** Calls of one connection; clients let more wait. Each may hold a message in memory. */
const STREAMS_MAX = 256

/**
 * A coordinator pings to get rid of connections whose peer has vanished, not to notice a dead agent: that is the lease's
 * business. With a thousand agents each ping saved counts.
 */
const SERVER_KEEPALIVE_TIME_MS = 20_000
const SERVER_KEEPALIVE_TIMEOUT_MS = 5_000

export const SERVER_OPTIONS: ServerOptions = {
  ...WITHOUT_STATISTICS,
  'grpc.max_concurrent_streams': STREAMS_MAX,
  'grpc.keepalive_time_ms': SERVER_KEEPALIVE_TIME_MS,
  'grpc.keepalive_timeout_ms': SERVER_KEEPALIVE_TIMEOUT_MS,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
}

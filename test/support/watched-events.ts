/** Streams of events as a client has them: what came, in order, and how it ended. */
import { readFileSync } from 'node:fs'
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import {
  SystemServiceClient,
  WatchEventsRequest,
  type WatchEventsResponse,
} from '../../proto/gen/rota/v1/system_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { RotaError } from '../../shared/errors/rota-error.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'
import type { TestCoordinator } from './test-coordinator.ts'
import { until } from './until.ts'

export interface WatchedEvents {
  /** Everything that came, keepalives too. */
  readonly messages: readonly WatchEventsResponse[]
  /** Resolves with the error that ended it. */
  readonly ended: Promise<RotaError>
  /** The token of the last message. */
  token(): string
  /** Waits for a message. */
  next<T>(what: string, find: (message: WatchEventsResponse) => T | undefined): Promise<T>
  /** Reads no more, as a client that hangs. */
  pause(): void
  resume(): void
  stop(): void
}

/** Begins to watch; resolves with the first message, from which on nothing is missed. */
export async function watchEvents(
  rota: TestCoordinator,
  request: Partial<WatchEventsRequest> = {},
): Promise<WatchedEvents> {
  const secure = credentials.createSsl(readFileSync(rota.files.caCertificate))
  const client = new SystemServiceClient(rota.address(), secure, CLIENT_CHANNEL_OPTIONS)
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${rota.token()}`)
  const stream = client.watchEvents(WatchEventsRequest.fromPartial(request), metadata)
  const messages: WatchEventsResponse[] = []
  stream.on('data', (message: WatchEventsResponse) => messages.push(message))
  const ended = new Promise<RotaError>((resolve) => {
    stream.on('error', (error: ServiceError) => resolve(fromServiceError(error).error))
  })
  await Promise.race([
    until('the stream begins', () => messages.length > 0),
    ended.then((error) => Promise.reject(error)),
  ])
  return {
    messages,
    ended,
    token: () => messages.at(-1)?.resumeToken ?? '',
    next: (what, find) =>
      until(what, () => {
        for (const message of messages) {
          const found = find(message)
          if (found !== undefined) return found
        }
        return undefined
      }),
    pause: () => void stream.pause(),
    resume: () => void stream.resume(),
    stop() {
      stream.cancel()
      client.close()
    },
  }
}

/** Output of an execution as a client of the API gets it. */
import { readFileSync } from 'node:fs'
import { credentials, Metadata } from '@grpc/grpc-js'
import {
  ExecutionServiceClient,
  TailExecutionLogsRequest,
  type TailExecutionLogsResponse,
} from '../../proto/gen/rota/v1/execution_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { TestCoordinator } from './test-coordinator.ts'

export type Tail = Partial<TailExecutionLogsRequest>

export interface Following {
  /** Grows. */
  readonly chunks: readonly TailExecutionLogsResponse[]
  /** Resolves at the end. */
  readonly done: Promise<TailExecutionLogsResponse[]>
  cancel(): void
}

export interface LogTailer {
  tail(name: string, request?: Tail): Following
  close(): void
}

export function openLogTailer(rota: TestCoordinator): LogTailer {
  const secure = credentials.createSsl(readFileSync(rota.files.caCertificate))
  const client = new ExecutionServiceClient(rota.address(), secure, CLIENT_CHANNEL_OPTIONS)
  return {
    tail(name, request = {}) {
      const metadata = new Metadata()
      metadata.set('authorization', `Bearer ${rota.token()}`)
      const whole = TailExecutionLogsRequest.fromPartial({ name, ...request })
      const stream = client.tailExecutionLogs(whole, metadata)
      const chunks: TailExecutionLogsResponse[] = []
      const done = new Promise<TailExecutionLogsResponse[]>((resolve, reject) => {
        stream.on('data', (response: TailExecutionLogsResponse) => chunks.push(response))
        stream.on('end', () => resolve(chunks))
        stream.on('error', reject)
      })
      return { chunks, done, cancel: () => stream.cancel() }
    },
    close: () => client.close(),
  }
}

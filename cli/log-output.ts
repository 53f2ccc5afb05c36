/** Output of a job to where it belongs: stdout to stdout, the rest to stderr; bytes as they are, but none that drive a terminal. */

import { LogStream } from '../proto/gen/rota/v1/execution.ts'
import type { TailExecutionLogsResponse } from '../proto/gen/rota/v1/execution_service.ts'
import type { Invocation } from './action.ts'
import { type Sink, writeAll } from './host.ts'
import { createTerminalFilter } from './output/terminal-filter.ts'

/** What is said when the stream breaks while it is shown. */
export const CONNECTION_LOST = 'rota: lost the coordinator, trying again'

interface LogOutput {
  write(chunk: TailExecutionLogsResponse): Promise<void>
  /** Writes what a filter still holds back. */
  end(): Promise<void>
}

/** `stdout` is where the job's standard output goes: ours, or stderr when ours is for JSON. */
export function createLogOutput({ host, options }: Invocation, stdout: Sink): LogOutput {
  const keepColours = options.color && !host.env['NO_COLOR']
  const out = createPipe(stdout, keepColours)
  const err = createPipe(host.stderr, keepColours)
  return {
    async write({ stream, data }) {
      await (stream === LogStream.STDOUT ? out : err).write(data)
    },
    async end() {
      await out.end()
      await err.end()
    },
  }
}

function createPipe(sink: Sink, keepColours: boolean) {
  if (!sink.isTTY) return { write: (data: Uint8Array) => writeAll(sink, data), end: async () => {} }
  const filter = createTerminalFilter({ keepColours })
  return {
    write: (data: Uint8Array) => writeAll(sink, filter.push(data)),
    end: () => writeAll(sink, filter.end()),
  }
}

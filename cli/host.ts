import type { Clock } from '../shared/clock.ts'
import type { Program } from '../shared/programs.ts'
import type { Random } from '../shared/random.ts'

/** Where text and bytes go: a terminal, a pipe, a file, or a test. */
export interface Sink {
  readonly isTTY?: boolean
  /** Width of the terminal. */
  readonly columns?: number
  write(data: string | Uint8Array): boolean
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Everything that the CLI takes from outside; only main.ts and tests make one. */
export interface Host {
  readonly clock: Clock
  readonly random: Random
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean }
  readonly stdout: Sink
  readonly stderr: Sink
  /** From the first call on, Ctrl-C aborts this signal instead of ending the process. */
  interruptSignal(): AbortSignal
  /** Becomes another program of Rota; resolves with its exit code where the process cannot be replaced. */
  become(program: Program, args: readonly string[]): Promise<number>
}

/** Writes all of `data`, waiting while the reader is slower than we are. */
export async function writeAll(sink: Sink, data: string | Uint8Array): Promise<void> {
  if (data.length === 0 || sink.write(data)) return
  await new Promise<void>((resolve) => {
    const done = () => {
      sink.off('drain', done)
      sink.off('close', done)
      resolve()
    }
    sink.once('drain', done)
    // The reader has gone; main.ts ends the process when writing fails.
    sink.once('close', done)
  })
}

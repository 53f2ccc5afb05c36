/**
 * What an agent and its warden say to each other: JSON, one message a line.
 *
 * M1. Only additions: an agent of this release may find the warden of the one before it, and the other way round.
 * M2. Secrets of jobs pass here and in the environment of their processes, nowhere else.
 */
import type { ProcessIdentity } from './process-identity.ts'
import type { StopCause } from './stop-switch.ts'

/** A command to run for an attempt. */
export interface StartOrder {
  /** Of the attempt; also the name of its folder. */
  readonly key: string
  readonly file: string
  readonly args: readonly string[]
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  /** Undefined: as the warden itself. */
  readonly user: OrderUser | undefined
  /** Undefined: as long as it likes. */
  readonly timeoutMs: number | undefined
  readonly killGraceMs: number
  /** True when it must not outlive the lease. */
  readonly isGuarded: boolean
}

export interface OrderUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** When attempts that must not outlive it get TERM and KILL, on the clock of boot-clock.ts. */
export interface LeaseTimes {
  readonly termAtMs: number
  readonly killAtMs: number
}

/** A process that runs. */
export interface Started {
  /** Undefined where the system does not tell. */
  readonly process: ProcessIdentity | undefined
  /** Wall clock, ms since 1970. */
  readonly startTimeMs: number
}

/** How a process ended. */
export type Exit =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'not_started'; readonly message: string }

/** What the host can tell of the work that was done. */
export interface ProcessUsage {
  readonly cpuMs?: number
  readonly peakMemoryBytes?: number
}

/** The end of an attempt as its warden saw it. */
export interface ProcessEnd {
  readonly exit: Exit
  /** Why it was stopped; undefined when it ended by itself. */
  readonly cause: StopCause | undefined
  /** Wall clock, ms since 1970; undefined when nothing was started. */
  readonly startTimeMs: number | undefined
  readonly endTimeMs: number
  readonly usage: ProcessUsage
}

/** An attempt that the warden has: it runs, or it has ended and the agent has not yet written down how. */
export interface HeldAttempt {
  readonly key: string
  readonly started: Started | undefined
  readonly end: ProcessEnd | undefined
}

export type WardenRequest =
  | { readonly type: 'hello' }
  | { readonly type: 'start'; readonly order: StartOrder }
  | {
      readonly type: 'stop'
      readonly key: string
      readonly cause: StopCause
      readonly graceMs: number
    }
  | { readonly type: 'lease'; readonly lease: LeaseTimes }
  /** The agent has the end of this attempt in its journal. */
  | { readonly type: 'forget'; readonly key: string }
  | { readonly type: 'ping' }
  /** End what runs, and then yourself. */
  | { readonly type: 'quit' }

export type WardenReply =
  | {
      readonly type: 'welcome'
      readonly release: string
      readonly attempts: readonly HeldAttempt[]
    }
  | { readonly type: 'started'; readonly key: string; readonly started: Started }
  | { readonly type: 'ended'; readonly key: string; readonly end: ProcessEnd }
  | { readonly type: 'pong' }

/** One message, its end included. */
export function encodeLine(message: WardenRequest | WardenReply): string {
  return `${JSON.stringify(message)}\n`
}

/** Says what is said in one turn by one write. */
export class LineWriter {
  readonly #write: (lines: string) => void
  #lines = ''

  constructor(write: (lines: string) => void) {
    this.#write = write
  }

  send(message: WardenRequest | WardenReply): void {
    if (this.#lines === '') process.nextTick(() => this.flush())
    this.#lines += encodeLine(message)
  }

  /** For who cannot wait for the end of the turn. */
  flush(): void {
    const lines = this.#lines
    this.#lines = ''
    if (lines !== '') this.#write(lines)
  }
}

/** Bytes of a line at most: an environment as large as Linux takes one, with everything escaped. */
export const LINE_BYTES_MAX = 16 * 1024 * 1024

/** Puts lines together again from what a socket brings. */
export class LineReader {
  #pieces: Buffer[] = []
  #bytes = 0

  /** The lines that are whole now. Throws when one is too long. */
  read(piece: Buffer): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = piece.indexOf(0x0a); end !== -1; end = piece.indexOf(0x0a, start)) {
      this.#keep(piece.subarray(start, end))
      lines.push(Buffer.concat(this.#pieces).toString())
      this.#pieces = []
      this.#bytes = 0
      start = end + 1
    }
    this.#keep(piece.subarray(start))
    return lines
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#bytes > LINE_BYTES_MAX) throw new Error(`a line of more than ${LINE_BYTES_MAX} bytes`)
    if (piece.length > 0) this.#pieces.push(piece)
  }
}

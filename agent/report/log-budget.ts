/** How the log cap of an attempt is shared between its two outputs: who writes first, is kept first. Pure. */

/** Bytes kept of each output. */
export interface LogShare {
  readonly stdoutBytes: number
  readonly stderrBytes: number
}

export type OutputName = 'stdout' | 'stderr'

/**
 * B1. Granted bytes are never taken back; their sum never passes the cap.
 * B2. After `settle`, kept plus dropped is what was written.
 */
export class LogBudget {
  readonly capBytes: number
  readonly #granted: Record<OutputName, number>
  #isSettled = false

  /** `share` of an earlier life of the agent: settled, nothing more is granted. */
  constructor(capBytes: number, share?: LogShare) {
    this.capBytes = capBytes
    this.#granted = { stdout: share?.stdoutBytes ?? 0, stderr: share?.stderrBytes ?? 0 }
    this.#isSettled = share !== undefined
  }

  granted(output: OutputName): number {
    return this.#granted[output]
  }

  get share(): LogShare {
    return { stdoutBytes: this.#granted.stdout, stderrBytes: this.#granted.stderr }
  }

  /** True when nothing more will be granted. */
  get isSpent(): boolean {
    return this.#isSettled || this.#left() === 0
  }

  /** Grants up to `bytes` more of an output. */
  grant(output: OutputName, bytes: number): void {
    if (!this.#isSettled) this.#granted[output] += Math.min(bytes, this.#left())
  }

  /** The coordinator has this much already, from an earlier life of the agent: it counts as granted. */
  raise(output: OutputName, toBytes: number): void {
    this.grant(output, Math.max(0, toBytes - this.#granted[output]))
  }

  /** Shares what is left, for the outputs have ended with these sizes. */
  settle(written: LogShare): LogShare {
    this.grant('stdout', Math.max(0, written.stdoutBytes - this.#granted.stdout))
    this.grant('stderr', Math.max(0, written.stderrBytes - this.#granted.stderr))
    this.#isSettled = true
    return this.share
  }

  #left(): number {
    return this.capBytes - this.#granted.stdout - this.#granted.stderr
  }
}

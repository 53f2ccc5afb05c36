/** Why and how fast an attempt must end. */

export type StopCause =
  | { readonly kind: 'timeout'; readonly timeoutMs: number }
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'output_limit'; readonly limitBytes: number }
  /** The agent cannot go on with it: its lease, its warden or its own life ends. */
  | { readonly kind: 'lost'; readonly reason: string }

/**
 * W1. The first cause is the one that counts; a later one can only shorten the grace.
 * W2. After `close` nothing changes any more: the attempt has ended by itself.
 * W3. Of a process the warden's switch decides; the agent's takes over what it says (`conclude`).
 */
export class StopSwitch {
  #cause: StopCause | undefined
  #isClosed = false
  #listener: (graceMs: number) => void = () => {}
  #graceMs = Number.POSITIVE_INFINITY

  get cause(): StopCause | undefined {
    return this.#cause
  }

  /** Asks the attempt to end, and to be ended after `graceMs`. */
  request(cause: StopCause, graceMs: number): void {
    if (this.#isClosed) return
    this.#cause ??= cause
    if (graceMs >= this.#graceMs) return
    this.#graceMs = graceMs
    this.#listener(graceMs)
  }

  /** Called at each request that shortens the grace, and at once if there was one; one listener. */
  onRequest(listener: (graceMs: number) => void): void {
    this.#listener = listener
    if (this.#cause !== undefined) listener(this.#graceMs)
  }

  close(): void {
    this.#isClosed = true
    this.#listener = () => {}
  }

  /** It has ended, and this is why, whatever was asked for here (W3). */
  conclude(cause: StopCause | undefined): void {
    this.#cause = cause
    this.close()
  }
}

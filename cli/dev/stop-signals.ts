/** Ctrl-C and its relatives: the first asks for an orderly stop, the second for a quick one. */
export interface StopSignals {
  readonly stop: AbortSignal
  readonly force: AbortSignal
}

/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** From now on these signals do not end the process. */
export function listenForStop(): StopSignals {
  const stop = new AbortController()
  const force = new AbortController()
  const onSignal = () => (stop.signal.aborted ? force : stop).abort()
  for (const signal of SIGNALS) process.on(signal, onSignal)
  return { stop: stop.signal, force: force.signal }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

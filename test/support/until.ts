/** Waits for a condition, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises'

/** What has waited long is looked at less often: a look may cost a call, a query or a walk through all processes. */
const LOOK_MS = { min: 20, max: 100, share: 1 / 20 } as const
/** Nothing takes so long on an idle machine; one whose cores are shared by many must not fail for that. */
const LIMIT_MS = 45_000

/** Asks again and again until `look` answers something; fails with `what` when it does not in `limitMs`. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs: number = LIMIT_MS,
): Promise<T> {
  const startMs = performance.now()
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    const waitedMs = performance.now() - startMs
    if (waitedMs > limitMs) throw new Error(`waited ${limitMs} ms in vain until ${what}`)
    await sleep(Math.min(LOOK_MS.max, Math.max(LOOK_MS.min, waitedMs * LOOK_MS.share)))
  }
}

/** Waits for a condition, never for a time. */
import { setTimeout as sleep } from 'node:timers/promises'

const LOOK_MS = 20
const LIMIT_MS = 20_000

/** Asks again and again until `look` answers something; fails with `what` when it does not in `limitMs`. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs: number = LIMIT_MS,
): Promise<T> {
  const endMs = performance.now() + limitMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > endMs) throw new Error(`waited ${limitMs} ms in vain until ${what}`)
    await sleep(LOOK_MS)
  }
}

/** Random disturbances on top of each other for a while; then all is healed, and every promise is judged. */
import { setTimeout as sleep } from 'node:timers/promises'
import { DISTURBANCES, type Disturbance, type Heal } from '../catalogue/disturbances.ts'
import { whenAllConnected } from '../cluster/cluster.ts'
import type { Scene, Verdict } from './scene.ts'
import { pick } from './stage.ts'

export interface SoupOptions {
  readonly minutes: number
  /** In [0, 1). */
  readonly random: () => number
  readonly say: (line: string) => void
}

/** One that happened. */
export interface SoupFault {
  readonly atMs: number
  readonly name: string
  readonly place: string
  readonly heldMs: number
}

const AT_ONCE_MAX = 3
const PAUSE_MS_MAX = 4_000
const HELD_MS_MAX = 20_000
const CONNECT_MS = 60_000

export async function cookSoup(
  scene: Scene,
  { minutes, random, say }: SoupOptions,
): Promise<{ readonly faults: readonly SoupFault[]; readonly verdict: Verdict }> {
  const { cluster } = scene
  const startMs = performance.now()
  const endMs = startMs + minutes * 60_000
  const faults: SoupFault[] = []
  const busy = new Set<string>()
  const running = new Set<Promise<void>>()
  const failures: string[] = []
  // Faults overlap, so that one window covers them all; what is exclusive stays so.
  const close = scene.openWindow({ name: 'soup', allowsOverlap: 'at_least_once' })
  while (performance.now() < endMs && failures.length === 0) {
    await sleep(random() * PAUSE_MS_MAX)
    if (running.size >= AT_ONCE_MAX) await Promise.race(running)
    const free = DISTURBANCES.flatMap((disturbance) =>
      disturbance
        .places(cluster)
        .filter((place) => !busy.has(place))
        .flatMap((place) =>
          Array.from({ length: disturbance.weight }, () => ({ disturbance, place })),
        ),
    )
    const { disturbance, place } = pick(random, free)
    // Squared: most are short, some outlast the lease.
    const heldMs = random() ** 2 * HELD_MS_MAX
    const atMs = performance.now() - startMs
    faults.push({ atMs, name: disturbance.name, place, heldMs })
    say(showFault(faults.at(-1)))
    busy.add(place)
    const playing = play(disturbance, { scene, place, heldMs })
      .catch((error: unknown) => void failures.push(`${disturbance.name} at ${place}: ${error}`))
      .finally(() => {
        busy.delete(place)
        running.delete(playing)
      })
    running.add(playing)
  }
  await Promise.all(running)
  close()
  await whenAllConnected(cluster, CONNECT_MS).catch((error) => void failures.push(String(error)))
  const verdict = await scene.conclude()
  return { faults, verdict: { ...verdict, problems: [...failures, ...verdict.problems] } }
}

async function play(
  disturbance: Disturbance,
  {
    heldMs,
    place,
    scene,
  }: { readonly scene: Scene; readonly place: string; readonly heldMs: number },
): Promise<void> {
  const heal: Heal = await disturbance.begin(scene.cluster, place)
  await sleep(heldMs)
  await heal()
}

/** `  12.3 s  agent killed            worker-2       for 3.4 s` */
export function showFault(fault: SoupFault | undefined): string {
  if (fault === undefined) return ''
  const { atMs, heldMs, name, place } = fault
  const at = `${(atMs / 1_000).toFixed(1)} s`
  return `${at.padStart(8)}  ${name.padEnd(28)} ${place.padEnd(14)} for ${(heldMs / 1_000).toFixed(1)} s`
}

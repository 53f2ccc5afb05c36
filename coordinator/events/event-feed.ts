/**
 * The newest events, read once for all who watch through this coordinator.
 *
 * N1. It looks only while somebody watches: at once after a hint of this coordinator, else every LOOK_MS, since others
 *     write too.
 * N2. Only the newest batch is kept. A watcher that is not right behind it reads for itself, so a slow one costs
 *     statements, never memory.
 * N3. Where it begins anew, first or after the database has gone back, everybody looks for himself.
 */
import { Bell } from '../../shared/bell.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Service } from '../../shared/service.ts'
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import type { Hint } from '../store/hints.ts'
import { loadResources, type Resources } from './load-resources.ts'
import type { Position } from './position.ts'
import { type EventRow, positionOf, readEventHead, readEventsAfter } from './read-event-queries.ts'

export interface Batch {
  readonly after: Position
  readonly upTo: Position
  readonly events: readonly EventRow[]
  /** What they are about, read at `sinceMs` or later; shared by all who ask. */
  resources(sinceMs: number): Promise<Resources>
}

export interface Watcher {
  /** The newest batch; undefined when there is none yet. */
  newest(): Batch | undefined
  /** Until there is something new, or `atMostMs`. */
  wait(atMostMs: number): Promise<void>
  close(): void
}

export interface EventFeed extends Service {
  /** Aborts when the coordinator stops: watchers end then. */
  readonly stopping: AbortSignal
  /** Throws OVERLOADED. */
  watch(signal: AbortSignal): Watcher
}

const WATCHERS_MAX = 500
/** Events, but whole rows: as many more as the last one has. */
const BATCH = 500
const LOOK_MS = 300
/** However many hints there are, in ms. */
const PAUSE_MS = 50
const IDLE_MS = 3_600_000
/** Given when something has changed, or is about to. */
const HINTS: readonly Hint[] = ['schedules', 'queue', 'cancels', 'executions']

export function createEventFeed(deps: Deps): EventFeed {
  const bells = new Set<Bell>()
  const stopping = new AbortController()
  const look = createLook(deps, () => {
    for (const bell of bells) bell.ring()
  })
  const ticker = new Ticker({
    ...deps,
    name: 'events',
    runOnce: async () => (bells.size === 0 ? look.forget() : look.once()),
  })
  const unlisten = HINTS.map((hint) =>
    deps.hints.on(hint, () => {
      if (bells.size > 0) ticker.wake()
    }),
  )
  return {
    stopping: stopping.signal,
    start: () => ticker.start(),
    async stop() {
      for (const stop of unlisten) stop()
      stopping.abort()
      for (const bell of bells) bell.ring()
      await ticker.stop()
    },
    watch(signal) {
      if (bells.size >= WATCHERS_MAX) {
        const message = `${WATCHERS_MAX} watch this coordinator already`
        throw new RotaError('OVERLOADED', message)
      }
      const bell = new Bell()
      const ring = () => bell.ring()
      signal.addEventListener('abort', ring, { once: true })
      bells.add(bell)
      ticker.wake()
      return {
        newest: look.newest,
        wait: (atMostMs) => bell.wait(deps.clock, atMostMs),
        close() {
          signal.removeEventListener('abort', ring)
          bells.delete(bell)
        },
      }
    },
  }
}

/** The rounds of the feed, each of which says when the next one is wanted, in ms. */
function createLook(deps: Deps, ring: () => void) {
  const { db, clock } = deps
  let head: Position | undefined
  let newest: Batch | undefined
  let nextMs = 0
  const read = async (after: Position): Promise<number> => {
    const { isKnown, events } = await readEventsAfter(db, after, BATCH)
    const last = events.at(-1)
    if (!isKnown) {
      head = newest = undefined
      return 0
    }
    if (last === undefined) return LOOK_MS
    head = positionOf(last)
    newest = { after, upTo: head, events, resources: shareResources(deps, events) }
    ring()
    return events.length >= BATCH ? 0 : LOOK_MS
  }
  return {
    newest: () => newest,
    forget() {
      head = newest = undefined
      return IDLE_MS
    },
    async once() {
      const restMs = nextMs - clock.monotonicMs()
      if (restMs > 0) return restMs
      nextMs = clock.monotonicMs() + PAUSE_MS
      if (head !== undefined) return read(head)
      head = await readEventHead(db)
      ring()
      return LOOK_MS
    },
  }
}

function shareResources({ db, clock }: Deps, events: readonly EventRow[]): Batch['resources'] {
  let readMs = Number.NEGATIVE_INFINITY
  let shared: Promise<Resources> | undefined
  return (sinceMs) => {
    if (shared === undefined || readMs < sinceMs) {
      readMs = clock.monotonicMs()
      shared = loadResources(db, events)
      // The next one who asks tries again.
      shared.catch(() => (shared = undefined))
    }
    return shared
  }
}

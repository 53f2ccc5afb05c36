/**
 * The stream of changes for one client.
 *
 * F1. It holds a position and at most one batch; where it is, also within a row, depends on the client alone, which may come back with the
 *     position to any coordinator of the database.
 * F2. Of each resource it gives the newest wanted event of a batch, with the resource as it is by then: that is never older
 *     than the event, nor than what was given before.
 * F3. When events may be missing it says so, and goes on from now.
 */
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import type { Filter } from '../query/filter.ts'
import type { EventFeed, Watcher } from './event-feed.ts'
import { isWanted, resourceOf } from './event-filter.ts'
import { loadResources, type Resources } from './load-resources.ts'
import { isSamePosition, type Position } from './position.ts'
import { type EventRow, positionOf, readEventHead, readEventsAfter } from './read-event-queries.ts'

export type Delivery = { readonly position: Position } & (
  | { readonly kind: 'event'; readonly event: EventRow; readonly resources: Resources }
  | { readonly kind: 'keepalive' }
  | { readonly kind: 'gap' }
)

export interface Following {
  /** Undefined: from now on. */
  readonly from: Position | undefined
  readonly filter: Filter | undefined
  readonly signal: AbortSignal
}

/** Events that a watcher reads at once for itself, but whole rows: as many more as the last one has. */
const PAGE = 200
/** A position is given at least so often, in ms: at once, then while nothing else is. */
const KEEPALIVE_MS = 10_000

/** Throws SHUTTING_DOWN when the coordinator stops. */
export async function* followEvents(
  deps: Deps,
  feed: EventFeed,
  { from, filter, signal }: Following,
): AsyncIterable<Delivery> {
  const watcher = feed.watch(AbortSignal.any([signal, feed.stopping]))
  const reader = createReader(deps, watcher, filter)
  try {
    let position = from ?? (await readEventHead(deps.db))
    let saidMs = Number.NEGATIVE_INFINITY
    while (!signal.aborted && !feed.stopping.aborted) {
      const page = await reader.next(position)
      if (page === undefined) {
        position = await readEventHead(deps.db)
        yield { kind: 'gap', position }
        saidMs = deps.clock.monotonicMs()
        continue
      }
      for (const event of page.wanted) {
        yield { kind: 'event', position: positionOf(event), event, resources: page.resources }
        saidMs = deps.clock.monotonicMs()
      }
      const isQuiet = isSamePosition(page.upTo, position)
      position = page.upTo
      if (deps.clock.monotonicMs() - saidMs >= KEEPALIVE_MS) {
        yield { kind: 'keepalive', position }
        saidMs = deps.clock.monotonicMs()
      }
      if (isQuiet) await watcher.wait(saidMs + KEEPALIVE_MS - deps.clock.monotonicMs())
    }
  } finally {
    watcher.close()
  }
  if (feed.stopping.aborted) {
    throw new RotaError('SHUTTING_DOWN', 'the coordinator is stopping')
  }
}

interface Page {
  readonly upTo: Position
  readonly wanted: readonly EventRow[]
  readonly resources: Resources
}

/** Reads page after page: the batch that all share when it is the next one, else from the database. */
function createReader(deps: Deps, watcher: Watcher, filter: Filter | undefined) {
  // Resources that are shared must not be older than what this watcher has seen.
  let seenMs = Number.NEGATIVE_INFINITY
  return {
    /** Undefined when what is behind `position` may be incomplete. */
    async next(position: Position): Promise<Page | undefined> {
      const newest = watcher.newest()
      if (isSamePosition(newest?.upTo, position)) return emptyPage(position)
      if (newest !== undefined && isSamePosition(newest.after, position)) {
        const wanted = newestWanted(newest.events, filter)
        if (wanted.length === 0) return emptyPage(newest.upTo)
        return { upTo: newest.upTo, wanted, resources: await newest.resources(seenMs) }
      }
      const { isKnown, events } = await readEventsAfter(deps.db, position, PAGE)
      if (!isKnown) return undefined
      const last = events.at(-1)
      const wanted = newestWanted(events, filter)
      const resources = await loadResources(deps.db, wanted)
      seenMs = deps.clock.monotonicMs()
      return { upTo: last === undefined ? position : positionOf(last), wanted, resources }
    },
  }
}

const NO_RESOURCES: Resources = {
  jobs: new Map(),
  executions: new Map(),
  attempts: new Map(),
  workers: new Map(),
}

function emptyPage(upTo: Position): Page {
  return { upTo, wanted: [], resources: NO_RESOURCES }
}

/** F2: of each resource the last event that the filter wants, in the order of events. */
function newestWanted(events: readonly EventRow[], filter: Filter | undefined): EventRow[] {
  const last = new Map<string, EventRow>()
  for (const event of events) {
    if (!isWanted(filter, event)) continue
    const key = event.type === 'job' ? `jobs/${event.job_id}` : resourceOf(event)
    last.delete(key)
    last.set(key, event)
  }
  return [...last.values()]
}

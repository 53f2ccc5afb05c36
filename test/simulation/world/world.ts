/**
 * Virtual time: a heap of events, each run to its end, with all the promises that it settled, before the next begins.
 *
 * W1. Nothing here waits for the real world; the same seed runs the same events in the same order (`hash` says so).
 * W2. Time stands still while an event runs. Events of one instant run in the order in which they were made.
 * W3. An event's promises are settled before the next event: microtasks are drained between two events.
 */
import { SeededRandom } from './seeded-random.ts'

export interface WorldEvent {
  readonly atMs: number
  readonly order: number
  readonly tag: number
  run: (() => void) | undefined
}

/** Let Ctrl-C and timeouts of the real world through, every so many events. */
const EVENTS_PER_BREATH = 5_000

/** Cheaper than queueMicrotask, which makes a resource of each call. */
const SETTLED = Promise.resolve()

export class World {
  /** Milliseconds since the start of the run. */
  nowMs = 0
  readonly random: SeededRandom
  readonly startMs = Date.UTC(2026, 10, 20, 10, 0, 0)
  events = 0
  #hash = 0x811c9dc5
  #order = 0
  readonly #heap: WorldEvent[] = []
  readonly #trace: string[] | undefined

  constructor(seed: number, options: { readonly isTraced?: boolean } = {}) {
    this.random = new SeededRandom(seed)
    this.#trace = options.isTraced === true ? [] : undefined
  }

  /** Says what happened, in order; two runs of one seed have the same. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  get isTraced(): boolean {
    return this.#trace !== undefined
  }

  get trace(): readonly string[] {
    return this.#trace ?? []
  }

  /** Notes what happened; the text is made only when somebody will read it. */
  note(who: string, text: () => string): void {
    if (this.#trace === undefined) return
    this.#trace.push(`${(this.nowMs / 1_000).toFixed(4).padStart(10)} ${who.padEnd(14)} ${text()}`)
  }

  /** Runs `fn` after `delayMs`; `tag` says what it is in the hash. */
  after(delayMs: number, tag: number, fn: () => void): WorldEvent {
    const event: WorldEvent = {
      atMs: this.nowMs + Math.max(0, delayMs),
      order: this.#order++,
      tag,
      run: fn,
    }
    push(this.#heap, event)
    return event
  }

  /** Runs all events up to `untilMs`. */
  runUntil(untilMs: number, shouldStop: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = () => {
        try {
          const event = this.#take(untilMs)
          if (event === undefined || shouldStop()) {
            this.nowMs = event === undefined ? untilMs : this.nowMs
            resolve()
            return
          }
          this.#run(event)
        } catch (error) {
          reject(error)
          return
        }
        if (this.events % EVENTS_PER_BREATH === 0) setImmediate(next)
        // A tick that is asked for by a microtask runs when the queue of microtasks is empty (W3).
        else void SETTLED.then(tick)
      }
      const tick = () => process.nextTick(next)
      next()
    })
  }

  #run(event: WorldEvent): void {
    this.nowMs = event.atMs
    this.events += 1
    this.mix(event.tag)
    this.mix(Math.round(event.atMs * 1_000))
    const { run } = event
    event.run = undefined
    run?.()
  }

  /** Adds to the hash. */
  mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193)
  }

  #take(untilMs: number): WorldEvent | undefined {
    for (;;) {
      const [first] = this.#heap
      if (first === undefined || first.atMs > untilMs) return undefined
      pop(this.#heap)
      if (first.run !== undefined) return first
    }
  }
}

/** A number for a name, for the hash. */
export function tagOf(name: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  }
  return hash
}

function isBefore(a: WorldEvent, b: WorldEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function push(heap: WorldEvent[], event: WorldEvent): void {
  let index = heap.length
  heap.push(event)
  while (index > 0) {
    const parent = (index - 1) >> 1
    const above = heap[parent]
    if (above === undefined || isBefore(above, event)) break
    heap[index] = above
    index = parent
  }
  heap[index] = event
}

function pop(heap: WorldEvent[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let index = 0
  for (;;) {
    const left = 2 * index + 1
    const right = left + 1
    const leftEvent = heap[left]
    if (leftEvent === undefined) break
    const rightEvent = heap[right]
    const isRight = rightEvent !== undefined && isBefore(rightEvent, leftEvent)
    const child = isRight ? rightEvent : leftEvent
    if (isBefore(last, child)) break
    heap[index] = child
    index = isRight ? right : left
  }
  heap[index] = last
}

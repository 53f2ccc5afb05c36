/**
 * What every peer's process does: it takes commands as lines of JSON on stdin and answers each with one line of JSON on
 * stdout. It ends with its stdin.
 */
import { createInterface } from 'node:readline'

/** Jobs per call of a peer's bulk insert; the same for all. */
export const ADD_BATCH = 1_000

/** Serves `commands` by name until stdin ends, then calls `close`. */
export async function serve({ commands, close }) {
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...args } = JSON.parse(line)
    try {
      answer({ done: await commands[command](args) })
    } catch (error) {
      answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
  await close()
  process.exit(0)
}

function answer(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** Counts runs by number; `whenAll` resolves when `expected` different ones have run. */
export class Runs {
  #counts = new Map()
  #expected = Number.POSITIVE_INFINITY
  #whenAll = Promise.withResolvers()
  firstMs = 0

  expect(count) {
    this.#counts = new Map()
    this.#expected = count
    this.#whenAll = Promise.withResolvers()
    this.firstMs = 0
    return this.#whenAll.promise
  }

  note(number) {
    if (this.#counts.size === 0) this.firstMs = performance.now()
    this.#counts.set(number, (this.#counts.get(number) ?? 0) + 1)
    if (this.#counts.size === this.#expected) this.#whenAll.resolve()
  }

  checks({ count, failed }) {
    let doubled = 0
    for (const times of this.#counts.values()) if (times > 1) doubled += 1
    return { lost: count - this.#counts.size, doubled, failed }
  }
}

export function numbers(count) {
  return Array.from({ length: count }, (_, index) => index)
}

export function* batches(all, size = ADD_BATCH) {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size)
}

/** Asks until it is true. */
export async function until(isTrue) {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 2))
}

/**
 * Two measurements: everything from the first insert to the last settled job, with the workers waiting for work; and
 * what is there already, from the first start on.
 */
export async function measureThroughput({ count, runs, queue }) {
  const all = numbers(count)
  await queue.start()
  let whenAll = runs.expect(count)
  const beganMs = performance.now()
  for (const batch of batches(all)) await queue.add(batch)
  const addedMs = performance.now()
  await whenAll
  await until(queue.isSettled)
  const endedMs = performance.now()
  const first = runs.checks({ count, failed: await queue.countFailed() })
  await queue.stop()
  await queue.empty()
  for (const batch of batches(all)) await queue.add(batch)
  whenAll = runs.expect(count)
  await queue.start()
  await whenAll
  await until(queue.isSettled)
  const drainedMs = performance.now()
  const second = runs.checks({ count, failed: await queue.countFailed() })
  await queue.stop()
  await queue.empty()
  return {
    figures: {
      perSecond: (count * 1_000) / (endedMs - beganMs),
      backlogPerSecond: (count * 1_000) / (drainedMs - runs.firstMs),
      enqueuePerSecond: (count * 1_000) / (addedMs - beganMs),
    },
    checks: {
      lost: first.lost + second.lost,
      doubled: first.doubled + second.doubled,
      failed: first.failed + second.failed,
    },
  }
}

/** From the call that adds one job to its start, one at a time, with pauses so that nothing is ever warm from the last. */
export async function measureLatency({ count, pauseMs, queue, starts }) {
  await queue.start()
  const samples = []
  for (let index = 0; index < count; index += 1) {
    const started = starts.next()
    const beganMs = performance.now()
    await queue.add([index])
    samples.push((await started) - beganMs)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  await until(queue.isSettled)
  await queue.stop()
  return { samples }
}

/** The start of the next job, as a promise of its time. */
export class Starts {
  #next = Promise.withResolvers()

  next() {
    this.#next = Promise.withResolvers()
    return this.#next.promise
  }

  note() {
    this.#next.resolve(performance.now())
  }
}

/**
 * Gathers what is asked for at about the same time into one call.
 *
 * B1. One that comes alone goes at once. While a call is under way, what comes gathers for the next one: nothing ever waits
 *     for a timer. Other lanes open only for whole calls: a few large calls cost less than many small ones.
 * B2. A call takes the items in the order of asking, and no more than `sizeMax` of them unless one alone is larger.
 * B3. When a call that held several has failed and has changed nothing, each is tried alone, so that one bad item harms
 *     nobody else.
 */
export interface MicroBatcherOptions<Item, Answer> {
  /** Calls at once at most. */
  readonly lanes: number
  /** Of one call, counted by `sizeOf`. */
  readonly sizeMax: number
  readonly sizeOf: (item: Item) => number
  /** True for a failure that has certainly changed nothing. */
  readonly isUndone: (error: unknown) => boolean
  /** Answers each item, in their order. */
  readonly run: (items: readonly Item[]) => Promise<readonly Answer[]>
}

interface Asked<Item, Answer> {
  readonly item: Item
  readonly answer: PromiseWithResolvers<Answer>
}

export class MicroBatcher<Item, Answer> {
  readonly #options: MicroBatcherOptions<Item, Answer>
  #waiting: Asked<Item, Answer>[] = []
  #running = 0
  #isLooking = false

  constructor(options: MicroBatcherOptions<Item, Answer>) {
    this.#options = options
  }

  /** Rejects with what its call failed with. */
  add(item: Item): Promise<Answer> {
    const answer = Promise.withResolvers<Answer>()
    this.#waiting.push({ item, answer })
    // What is asked for in the same turn goes into the same call.
    if (!this.#isLooking) {
      this.#isLooking = true
      queueMicrotask(() => this.#look())
    }
    return answer.promise
  }

  #look(): void {
    this.#isLooking = false
    this.#fillLanes()
  }

  #fillLanes(): void {
    while (this.#waiting.length > 0 && this.#hasLane()) {
      this.#running += 1
      void this.#runLane(this.#takeNext())
    }
  }

  #hasLane(): boolean {
    if (this.#running === 0) return true
    const { lanes, sizeMax, sizeOf } = this.#options
    if (this.#running >= lanes) return false
    const size = this.#waiting.reduce((sum, { item }) => sum + sizeOf(item), 0)
    return size >= sizeMax
  }

  #takeNext(): Asked<Item, Answer>[] {
    const { sizeMax, sizeOf } = this.#options
    let size = 0
    let count = 0
    for (const { item } of this.#waiting) {
      size += sizeOf(item)
      if (count > 0 && size > sizeMax) break
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #runLane(batch: readonly Asked<Item, Answer>[]): Promise<void> {
    if (!(await this.#tryAll(batch))) {
      // B3.
      for (const asked of batch) await this.#tryAll([asked])
    }
    this.#running -= 1
    this.#fillLanes()
  }

  /** False when nobody has been answered. */
  async #tryAll(batch: readonly Asked<Item, Answer>[]): Promise<boolean> {
    try {
      const answers = await this.#options.run(batch.map(({ item }) => item))
      for (const [index, { answer }] of batch.entries()) answer.resolve(answers[index] as Answer)
      return true
    } catch (error) {
      if (batch.length > 1 && this.#options.isUndone(error)) return false
      for (const { answer } of batch) answer.reject(error)
      return true
    }
  }
}

/** A reading that is shared: everybody who asks while it is under way gets the next one, so none is older than the asking. */
export function readTogether<Value>(read: () => Promise<Value>): () => Promise<Value> {
  const batcher = new MicroBatcher<undefined, Value>({
    lanes: 1,
    sizeMax: Number.POSITIVE_INFINITY,
    sizeOf: () => 1,
    isUndone: () => false,
    async run(asked) {
      const value = await read()
      return asked.map(() => value)
    },
  })
  return () => batcher.add(undefined)
}

/**
 * The disk of a host, as far as the journal of its agent goes.
 *
 * D1. What was synced survives everything; what was only written survives the death of the program, not of the host.
 * D2. A write that is on its way when the program dies may be there afterwards, or not, or a part of it.
 * D3. Records keep their order.
 */
import type { RecordLog } from '../../../agent/report/attempt-store.ts'
import type { JournalRecord } from '../../../agent/report/journal-records.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { VirtualProcess } from './virtual-process.ts'
import { tagOf } from './world.ts'

const DISK_TAG = tagOf('disk')

interface Write {
  readonly records: readonly JournalRecord[]
  readonly isDurable: boolean
}

export class VirtualDisk {
  readonly #random: SeededRandom
  #synced: JournalRecord[] = []
  #written: JournalRecord[] = []
  #onTheWay: Write[] = []
  #busyUntilMs = 0
  isFull = false
  /** Something happens when so many more records have come, before or after that one is stored. */
  failpoint: { left: number; readonly isStored: boolean; readonly fn: () => void } | undefined
  /** Latency of a write is this many times the usual one. */
  slowness = 1

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** All that a program finds. */
  get records(): readonly JournalRecord[] {
    return [...this.#synced, ...this.#written]
  }

  open(process: VirtualProcess): RecordLog {
    return {
      append: (records, isDurable) => this.#append(process, { records, isDurable }),
      close: async () => {},
    }
  }

  /** The program was killed (D2). */
  programDied(): void {
    const arrived = this.#random.between(0, this.#onTheWay.length)
    for (const write of this.#onTheWay.slice(0, arrived)) this.#store(write)
    const torn = this.#onTheWay[arrived]
    if (torn !== undefined) this.#tear(torn)
    this.#onTheWay = []
    this.#busyUntilMs = 0
  }

  /** The host went down: what was not synced is gone, from some point on. */
  losePower(): void {
    this.programDied()
    this.#synced.push(...this.#written.slice(0, this.#random.between(0, this.#written.length)))
    this.#written = []
  }

  #append(process: VirtualProcess, write: Write): Promise<void> {
    return new Promise((resolve, reject) => {
      const { world } = process
      const delayMs = this.#random.span(0.5, write.isDurable ? 4 : 1) * this.slowness
      this.#busyUntilMs = Math.max(this.#busyUntilMs, world.nowMs + delayMs)
      this.#onTheWay.push(write)
      world.after(this.#busyUntilMs - world.nowMs, DISK_TAG, () => {
        const index = this.#onTheWay.indexOf(write)
        if (index === -1) return
        this.#onTheWay.splice(index, 1)
        if (this.isFull) {
          const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' })
          process.run(() => reject(full))
          return
        }
        if (!this.#passes(write)) return
        this.#store(write)
        process.run(resolve)
      })
    })
  }

  /** False when the program has just ended. */
  #passes(write: Write): boolean {
    const { failpoint } = this
    if (failpoint === undefined) return true
    failpoint.left -= write.records.length
    if (failpoint.left > 0) return true
    this.failpoint = undefined
    if (failpoint.isStored) this.#store(write)
    else this.#tear(write)
    failpoint.fn()
    return false
  }

  /** Some of its records are there, the first ones (D2). */
  #tear({ records }: Write): void {
    this.#written.push(...records.slice(0, this.#random.between(0, records.length - 1)))
  }

  #store({ records, isDurable }: Write): void {
    this.#written.push(...records)
    if (isDurable) this.#synced.push(...this.#written.splice(0))
  }
}

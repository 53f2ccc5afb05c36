/**
 * One life of a program: what it is given of the world, and what takes that away from it.
 *
 * Modes: `running` -> `frozen` (SIGSTOP; what comes waits) -> `running` ... -> `dead` (SIGKILL; nothing ever runs again).
 *
 * P1. Whatever the world has for the program comes through `run`; a dead one gets nothing more, so that its code stands
 *     still at the await where it was.
 * P2. Monotonic time goes on while frozen, as CLOCK_MONOTONIC does; the wall clock may jump.
 */
import type { Clock, Timer } from '../../../shared/clock.ts'
import { tagOf, type World } from './world.ts'

/** Node's shortest timer, in ms. */
const TIMER_MS_MIN = 1

export class VirtualProcess {
  readonly name: string
  readonly world: World
  readonly clock: Clock
  /** How far the wall clock of its host is ahead, in ms. */
  readonly wall: { offsetMs: number }
  #state: 'running' | 'frozen' | 'dead' = 'running'
  #waiting: { fn: () => void; isTimer: boolean }[] = []
  readonly #tag: number

  constructor(world: World, name: string, wall: { offsetMs: number }) {
    this.world = world
    this.name = name
    this.wall = wall
    this.#tag = tagOf(name)
    this.clock = {
      now: () => new Date(Math.floor(world.startMs + world.nowMs + wall.offsetMs)),
      monotonicMs: () => world.nowMs,
      after: (delayMs, fn) => this.#timer(delayMs, fn),
    }
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen'
  }

  /** Runs what the world has for the program: now, when it thaws, or never. */
  run(fn: () => void, isTimer = false): void {
    if (this.#state === 'running') fn()
    else if (this.#state === 'frozen') this.#waiting.push({ fn, isTimer })
  }

  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen'
  }

  /** What waited comes now: as in Node, timers that are due come before what the sockets have. */
  thaw(): void {
    if (this.#state !== 'frozen') return
    this.#state = 'running'
    const waiting = this.#waiting
    this.#waiting = []
    const inOrder = [
      ...waiting.filter((each) => each.isTimer),
      ...waiting.filter((each) => !each.isTimer),
    ]
    for (const { fn, isTimer } of inOrder) {
      this.world.after(0, this.#tag, () => this.run(fn, isTimer))
    }
  }

  kill(): void {
    this.#state = 'dead'
    this.#waiting = []
  }

  #timer(delayMs: number, fn: () => void): Timer {
    let isCancelled = false
    const fire = () => {
      if (!isCancelled) fn()
    }
    if (!Number.isFinite(delayMs)) return { cancel: () => {} }
    const event = this.world.after(Math.max(TIMER_MS_MIN, delayMs), this.#tag, () =>
      this.run(fire, true),
    )
    return {
      cancel: () => {
        isCancelled = true
        event.run = undefined
      },
    }
  }
}

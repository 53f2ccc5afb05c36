/** Sees every life of every job process, from its first moment to its last, whatever anybody says of it. */
import type { World } from '../world/world.ts'

export interface Life {
  readonly executionId: string
  readonly attempt: number
  readonly epoch: number
  readonly job: string
  readonly guarantee: 'at_least_once' | 'exclusive' | 'at_most_once'
  readonly host: string
  readonly slots: number
  readonly startMs: number
  /** Undefined while it lives. */
  endMs: number | undefined
  /** Of a life that ended by itself. */
  exitCode: number | undefined
  /** Its host stood still while it lived: nothing on it can keep to a lease. */
  wasSuspended: boolean
  /** Its warden and its agent were killed at once: nobody was left who could keep to a lease. */
  wasUnguarded: boolean
}

export class Witness {
  readonly lives: Life[] = []
  readonly #byExecution = new Map<string, Life[]>()
  readonly #world: World
  onStart: (life: Life) => void = () => {}
  onEnd: (life: Life) => void = () => {}

  constructor(world: World) {
    this.#world = world
  }

  livesOf(executionId: string): readonly Life[] {
    return this.#byExecution.get(executionId) ?? []
  }

  started(
    born: Omit<Life, 'startMs' | 'endMs' | 'exitCode' | 'wasSuspended' | 'wasUnguarded'>,
  ): Life {
    const startMs = this.#world.nowMs
    const life: Life = {
      ...born,
      startMs,
      endMs: undefined,
      exitCode: undefined,
      wasSuspended: false,
      wasUnguarded: false,
    }
    this.lives.push(life)
    this.#byExecution.set(life.executionId, [...this.livesOf(life.executionId), life])
    this.#world.note(
      life.host,
      () => `PROCESS STARTS ${life.executionId} attempt ${life.attempt} epoch ${life.epoch}`,
    )
    this.onStart(life)
    return life
  }

  ended(life: Life, exitCode: number | undefined): void {
    life.endMs = this.#world.nowMs
    life.exitCode = exitCode
    this.#world.note(
      life.host,
      () => `PROCESS ENDS ${life.executionId} epoch ${life.epoch} exit ${String(exitCode)}`,
    )
    this.onEnd(life)
  }
}

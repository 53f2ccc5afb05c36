/**
 * A host: its disk, its clock, and the processes of jobs on it, which live whether or not an agent does.
 *
 * H1. A process ends by itself, by a signal, or with its host; never because its agent has.
 * H2. A suspended host stands still: its processes neither end nor hear of anything.
 */

import { attemptKey } from '../../../agent/report/attempt-ref.ts'
import type { Exit } from '../../../agent/warden/messages.ts'
import type { Assignment } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { Guarantee } from '../../../proto/gen/rota/v1/job.ts'
import { parseResourceName, wordFromEnum } from '../../../shared/wire.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { VirtualDisk } from '../world/virtual-disk.ts'
import { tagOf, type World } from '../world/world.ts'
import { type VirtualJob, VirtualWarden, type WardenHost } from './virtual-warden.ts'
import type { Witness } from './witness.ts'

const PROCESS_TAG = tagOf('process')

/** How a job behaves. */
export interface Behaviour {
  readonly durationMs: readonly [number, number]
  readonly failureRate: number
  /** After how long it fails; undefined: after `durationMs`, too. */
  readonly failsAfterMs?: readonly [number, number]
  /** It ignores TERM. */
  readonly isDeaf: boolean
}

export class VirtualHost implements WardenHost {
  readonly name: string
  readonly disk: VirtualDisk
  readonly wall = { offsetMs: 0 }
  readonly jobs = new Map<string, VirtualJob>()
  readonly warden: VirtualWarden
  readonly #assignments = new Map<string, Assignment>()
  boots = 1
  isSuspended = false
  readonly #world: World
  readonly #witness: Witness
  readonly #behaviourOf: (job: string) => Behaviour
  readonly #random: SeededRandom
  #waiting: (() => void)[] = []

  constructor(
    name: string,
    around: {
      readonly world: World
      readonly witness: Witness
      readonly behaviourOf: (job: string) => Behaviour
    },
  ) {
    this.name = name
    this.#world = around.world
    this.#witness = around.witness
    this.#behaviourOf = around.behaviourOf
    this.#random = around.world.random.fork()
    this.disk = new VirtualDisk(around.world.random.fork())
    this.warden = new VirtualWarden(around.world, this)
  }

  /** What the processes to come are for; the folder of an attempt, so to speak. */
  prepare(assignment: Assignment): void {
    this.#assignments.set(attemptKey(assignment), assignment)
  }

  start(key: string): VirtualJob {
    const assignment = this.#assignments.get(key)
    if (assignment === undefined) throw new Error(`nobody has prepared ${key}`)
    const job = parseResourceName('jobs', assignment.job, 'job')
    const behaviour = this.#behaviourOf(job)
    const life = this.#witness.started({
      executionId: parseResourceName('executions', assignment.execution, 'execution'),
      attempt: assignment.attempt,
      epoch: Number(assignment.epoch),
      job,
      guarantee: wordFromEnum(Guarantee, assignment.guarantee) ?? 'at_least_once',
      host: this.name,
      slots: Math.max(1, assignment.slots),
    })
    const started: VirtualJob = {
      key,
      life,
      isDeaf: behaviour.isDeaf,
      end: undefined,
      onEnd: () => {},
      timer: undefined,
    }
    this.jobs.set(started.key, started)
    const { durationMs, failsAfterMs = durationMs, failureRate } = behaviour
    const exitCode = this.#random.chance(failureRate) ? 1 : 0
    const [low, high] = exitCode === 0 ? durationMs : failsAfterMs
    this.#endLater(started, this.#random.span(low, high), { kind: 'exited', exitCode })
    return started
  }

  signal(job: VirtualJob, signal: 'SIGTERM' | 'SIGKILL'): void {
    if (job.end !== undefined || (signal === 'SIGTERM' && job.isDeaf)) return
    const delayMs = signal === 'SIGKILL' ? 1 : this.#random.span(1, 300)
    const earlier = (job.timer?.atMs ?? 0) - this.#world.nowMs
    if (earlier > delayMs) this.#endLater(job, delayMs, { kind: 'signalled', signal })
  }

  suspend(): void {
    this.isSuspended = true
    this.warden.suspend()
    for (const { life } of this.jobs.values()) life.wasSuspended = true
  }

  resume(): void {
    this.isSuspended = false
    this.warden.resume()
    const waiting = this.#waiting
    this.#waiting = []
    for (const fn of waiting) this.#world.after(0, PROCESS_TAG, fn)
  }

  /** The power goes: nothing of it is left but what was synced. */
  crash(): void {
    this.boots += 1
    for (const job of this.jobs.values()) {
      if (job.timer !== undefined) job.timer.run = undefined
      job.onEnd = () => {}
      this.#end(job, { kind: 'signalled', signal: 'SIGKILL' })
    }
    this.disk.losePower()
    this.warden.crash()
  }

  #endLater(job: VirtualJob, delayMs: number, end: Exit): void {
    if (job.timer !== undefined) job.timer.run = undefined
    job.timer = this.#world.after(delayMs, PROCESS_TAG, () => {
      if (this.isSuspended) this.#waiting.push(() => this.#end(job, end))
      else this.#end(job, end)
    })
  }

  #end(job: VirtualJob, end: Exit): void {
    if (job.end !== undefined) return
    job.end = end
    this.jobs.delete(job.key)
    this.#witness.ended(job.life, end.kind === 'exited' ? end.exitCode : undefined)
    job.onEnd(end)
  }
}

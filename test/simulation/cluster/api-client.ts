/**
 * People who use the API: they trigger and cancel, and when no answer comes they ask another coordinator the same again.
 */
import { createHash } from 'node:crypto'
import { cancelExecution } from '../../../coordinator/cancel/cancel.ts'
import type { Triggered } from '../../../coordinator/enqueue/trigger.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { tagOf } from '../world/world.ts'
import type { Cluster } from './cluster.ts'
import type { CoordinatorNode } from './coordinator-node.ts'

const API_TAG = tagOf('api')
const TIMEOUT_MS = 5_000
const TRIGGER_EVERY_MS = 3_000
const CANCEL_EVERY_MS = 5_000

const ACTOR = 'token:people'
/** What all of them say. */
const TRIGGER = {
  parameters: {},
  worker: '',
  scheduleTime: undefined,
  actor: ACTOR,
  validateOnly: false,
} as const

type Api = NonNullable<CoordinatorNode['api']>

export class ApiClient {
  readonly #cluster: Cluster
  readonly #random: SeededRandom
  /** By request id: the execution that was promised. */
  readonly triggered = new Map<string, string>()
  /** Requests without an answer. */
  readonly open = new Set<string>()
  isStopped = false
  requestCount = 0
  /** Told of an answer that contradicts an earlier one. */
  onContradiction: (message: string) => void = () => {}

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#random = cluster.world.random.fork()
  }

  start(): void {
    this.#again(TRIGGER_EVERY_MS, () =>
      this.trigger(this.#random.pick(['quick', 'wide', 'exclusive', 'once', 'failing'])),
    )
    this.#again(CANCEL_EVERY_MS, () => this.#cancelSome())
  }

  #again(meanMs: number, fn: () => void): void {
    this.#cluster.world.after(this.#random.exponential(meanMs), API_TAG, () => {
      if (this.isStopped) return
      fn()
      this.#again(meanMs, fn)
    })
  }

  /** Triggers a job; goes on with the same request id until somebody has answered. Some send none, and ask once. */
  trigger(job: string): void {
    this.requestCount += 1
    const requestId = `request-${this.requestCount}`
    if (this.#random.chance(0.3)) {
      this.#askOnce(requestId, job)
      return
    }
    this.open.add(requestId)
    this.#ask(requestId, job)
    // Now and then an impatient one asks two at once.
    if (this.#random.chance(0.1)) this.#ask(requestId, job)
  }

  #ask(requestId: string, job: string): void {
    const again = () => {
      const delayMs = this.#random.span(300, 2_000)
      this.#cluster.world.after(delayMs, API_TAG, () => {
        if (this.open.has(requestId)) this.#ask(requestId, job)
      })
    }
    const fingerprint = createHash('sha256').update(job).digest()
    const request = { actor: ACTOR, method: 'TriggerJob', requestId, fingerprint }
    this.#call(
      async ({ flow }) => flow.triggerJob({ job, ...TRIGGER, request }),
      (triggered) => this.#acknowledged(requestId, triggered),
      again,
    )
  }

  #askOnce(number: string, job: string): void {
    this.#call(
      async ({ flow }) => flow.triggerJob({ job, ...TRIGGER, request: undefined }),
      (triggered) => this.#acknowledged(number, triggered),
      () => {},
    )
  }

  #acknowledged(requestId: string, triggered: Triggered | undefined): void {
    const executionId = String(triggered?.id)
    this.open.delete(requestId)
    const before = this.triggered.get(requestId)
    if (before !== undefined && before !== executionId) {
      this.onContradiction(`${requestId} was answered with ${before} and with ${executionId}`)
    }
    this.triggered.set(requestId, executionId)
  }

  #cancelSome(): void {
    const live = [...this.#cluster.database.tables.execution.committed()]
    if (live.length === 0) return
    const { id } = this.#random.pick(live)
    const force = this.#random.chance(0.2)
    this.#call(
      async ({ deps, flow }) =>
        cancelExecution(deps, flow.endExecutions, {
          id: id,
          reason: 'not wanted',
          force,
          actor: ACTOR,
        }),
      () => {},
      () => {},
    )
  }

  /** Of what may be answered twice the first answer counts; no answer is a failure. */
  #call<T>(
    work: (api: Api) => Promise<T>,
    onAnswer: (value: T) => void,
    onFailure: () => void,
  ): void {
    const { coordinators, world } = this.#cluster
    const { api } = this.#random.pick(coordinators)
    if (api === undefined) {
      onFailure()
      return
    }
    let isOver = false
    const once = (fn: () => void) => {
      if (isOver) return
      isOver = true
      fn()
    }
    world.after(TIMEOUT_MS, API_TAG, () => once(onFailure))
    api.process.run(() => {
      work(api).then(
        (value) => once(() => onAnswer(value)),
        (error: unknown) =>
          once(() => {
            if (error instanceof RotaError && error.reason === 'REQUEST_ID_REUSED') {
              this.onContradiction(error.message)
            }
            onFailure()
          }),
      )
    })
  }
}

/**
 * An agent: the product's flow of it, on the host that the world gives it. Its journal and the processes of its attempts
 * belong to the host: they are there when it is started again.
 */
import { type AgentFlow, composeAgentFlow } from '../../../agent/compose-flow.ts'
import { Wakeup } from '../../../agent/connect/wakeup.ts'
import { type AttemptRef, attemptKey } from '../../../agent/report/attempt-ref.ts'
import { AttemptStore, finishedOf } from '../../../agent/report/attempt-store.ts'
import { Outbox } from '../../../agent/report/outbox.ts'
import { killGraceMs } from '../../../agent/run/attempt-terms.ts'
import { decideOutcome } from '../../../agent/run/decide-outcome.ts'
import { reportFinished } from '../../../agent/run/run-attempt.ts'
import type { TaskEnd } from '../../../agent/run/task-end.ts'
import type { StopSwitch } from '../../../agent/warden/stop-switch.ts'
import { type Assignment, Finished } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../../proto/gen/rota/v1/execution.ts'
import { sleep } from '../../../shared/clock.ts'
import { durationToMs } from '../../../shared/duration.ts'
import type { Logger } from '../../../shared/logger.ts'
import { Ticker } from '../../../shared/ticker.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { createVirtualLogger } from '../world/virtual-logger.ts'
import type { VirtualNetwork } from '../world/virtual-network.ts'
import { VirtualProcess } from '../world/virtual-process.ts'
import type { World } from '../world/world.ts'
import type { VirtualHost, VirtualJob } from './virtual-host.ts'

const FORGET_INTERVAL_MS = 60_000
const NO_LOG = { share: { stdoutBytes: 0, stderrBytes: 0 }, keptBytes: 0, droppedBytes: 0 }

export interface AgentSurroundings {
  readonly world: World
  readonly network: VirtualNetwork
  readonly host: VirtualHost
  readonly slots: number
  readonly coordinators: readonly string[]
  readonly onWelcome: (agent: AgentNode) => void
  readonly onAcknowledged: (ref: AttemptRef) => void
}

/** One life of the program. */
interface AgentLife {
  readonly process: VirtualProcess
  readonly logger: Logger
  readonly store: AttemptStore
  readonly outbox: Outbox
}

export class AgentNode {
  readonly name: string
  readonly host: VirtualHost
  readonly slots: number
  readonly #around: AgentSurroundings
  readonly #random: SeededRandom
  #process: VirtualProcess | undefined
  #flow: AgentFlow | undefined
  #lives = 0
  /** Changes with every session and every loss of one. */
  contact = 0

  constructor(around: AgentSurroundings) {
    this.#around = around
    this.host = around.host
    this.name = around.host.name
    this.slots = around.slots
    this.#random = around.world.random.fork()
  }

  get isUp(): boolean {
    return this.#process !== undefined && !this.#process.isDead
  }

  get isRunning(): boolean {
    return this.isUp && this.#process?.isFrozen === false
  }

  get isConnected(): boolean {
    return this.isRunning && this.#flow?.supervisor.isConnected === true
  }

  start(): void {
    if (this.isUp || this.host.isSuspended) return
    this.#lives += 1
    const { world } = this.#around
    const process = new VirtualProcess(world, `${this.name}#${this.#lives}`, this.host.wall)
    this.#process = process
    world.note(process.name, () => 'STARTS')
    void this.#begin(process)
  }

  /** SIGKILL of the agent alone. */
  kill(): void {
    if (this.#process === undefined || this.#process.isDead) return
    this.#around.world.note(this.#process.name, () => 'KILLED')
    this.#process.kill()
    this.contact += 1
    this.host.disk.programDied()
    for (const stream of this.#around.network.streamsOf(this.name)) stream.agentDied()
    for (const job of this.host.jobs.values()) job.onEnd = () => {}
  }

  freeze(): void {
    if (!this.isRunning) return
    this.#around.world.note(this.name, () => 'FROZEN')
    this.contact += 1
    this.#process?.freeze()
    this.#linksChanged()
  }

  thaw(): void {
    if (this.#process?.isFrozen !== true || this.host.isSuspended) return
    this.#around.world.note(this.name, () => 'THAWED')
    this.#process.thaw()
    this.#linksChanged()
  }

  #linksChanged(): void {
    for (const stream of this.#around.network.streamsOf(this.name)) stream.linkChanged()
  }

  /** As agent/compose.ts. */
  async #begin(process: VirtualProcess): Promise<void> {
    const { network, slots, world } = this.#around
    const { clock } = process
    const logger = createVirtualLogger(world, process.name)
    const wakeup = new Wakeup()
    const { disk } = this.host
    const store = await AttemptStore.open({
      openJournal: async () => ({ journal: disk.open(process), records: disk.records }),
      clock,
      logger,
    })
    const outbox = new Outbox(() => wakeup.wake())
    const life: AgentLife = { process, logger, store, outbox }
    const flow = composeAgentFlow({
      clock,
      random: this.#random,
      logger,
      facts: {
        agentVersion: 'simulated',
        hostname: this.name,
        platform: 'virtual',
        bootId: `${this.host.boots}/${this.#lives}`,
        slots,
        capabilities: ['shell'],
        handlers: [],
        labels: {},
      },
      coordinators: this.#around.coordinators,
      target: (address) => ({
        address,
        dial: () => {
          const stream = network.dial(process, this.name, address)
          return { stream, connected: stream.connected, close: () => {} }
        },
      }),
      host: {
        get hasSpace() {
          return !disk.isFull
        },
        sample: () => ({
          cpuRatio: 0.1,
          memoryRatio: 0.2,
          diskRatio: 0.3,
          eventLoopDelay: undefined,
        }),
      },
      store,
      outbox,
      wakeup,
      run: (assignment, stop) => this.#run(assignment, stop, life),
      onPlace: () => {
        this.contact += 1
      },
      onSession: () => this.#around.onWelcome(this),
      onAcknowledged: this.#around.onAcknowledged,
    })
    this.#flow = flow
    await this.#recover(life)
    await flow.supervisor.start()
    const runOnce = async () => {
      store.forgetOld()
      return FORGET_INTERVAL_MS
    }
    await new Ticker({ name: 'forget', clock, logger, runOnce }).start()
  }

  /** As agent/run/recover.ts. */
  async #recover(life: AgentLife): Promise<void> {
    const { clock } = life.process
    for (const attempt of life.store.list()) {
      if (attempt.result !== undefined) {
        if (attempt.acknowledgedAtMs !== undefined) continue
        life.outbox.put({ kind: 'finished', value: finishedOf(attempt.result) })
        continue
      }
      const left = this.host.jobs.get(attemptKey(attempt))
      if (left !== undefined) this.host.signal(left, 'SIGKILL')
      await sleep(clock, 10)
      const finished = Finished.fromPartial({
        execution: attempt.execution,
        epoch: attempt.epoch,
        outcome: AttemptOutcome.LOST,
        message: 'LEASE_LOST: the agent restarted while the attempt ran',
        endTime: clock.now(),
      })
      await reportFinished(finished, NO_LOG, {
        ...life,
        host: { clock, logger: life.logger } as never,
      })
    }
  }

  /** As agent/run/run-attempt.ts, with a process that the host has. */
  async #run(assignment: Assignment, stop: StopSwitch, life: AgentLife): Promise<void> {
    const { clock } = life.process
    const { execution, epoch } = assignment
    await sleep(clock, this.#random.span(1, 8))
    let startTime: Date | undefined
    let end: TaskEnd = { kind: 'not_started', message: 'stopped' }
    if (stop.cause === undefined) {
      const job = this.host.start(assignment)
      startTime = clock.now()
      life.store.start(assignment, { pid: 1, startTicks: job.key, bootId: String(this.host.boots) })
      life.outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
      end = await this.#endOf(job, stop, { assignment, life })
    }
    const finished: Finished = {
      ...Finished.fromPartial({ execution, epoch }),
      ...decideOutcome(end, stop.cause),
      startTime,
      endTime: clock.now(),
    }
    await reportFinished(finished, NO_LOG, {
      ...life,
      host: { clock, logger: life.logger } as never,
    })
  }

  #endOf(
    job: VirtualJob,
    stop: StopSwitch,
    { assignment, life }: { readonly assignment: Assignment; readonly life: AgentLife },
  ): Promise<TaskEnd> {
    const { clock } = life.process
    const timeoutMs = durationToMs(assignment.timeout) ?? Number.POSITIVE_INFINITY
    return new Promise((resolve) => {
      let killing = clock.after(Number.POSITIVE_INFINITY, () => {})
      let isTermed = false
      const timeout = clock.after(timeoutMs, () =>
        stop.request({ kind: 'timeout', timeoutMs }, killGraceMs(assignment)),
      )
      job.onEnd = (end) =>
        life.process.run(() => {
          stop.close()
          killing.cancel()
          timeout.cancel()
          resolve(end)
        })
      stop.onRequest((graceMs) => {
        if (!isTermed) this.host.signal(job, 'SIGTERM')
        isTermed = true
        killing.cancel()
        killing = clock.after(graceMs, () => this.host.signal(job, 'SIGKILL'))
      })
    })
  }
}

/**
 * An agent: the product's flow of it, on the host that the world gives it. Its journal and the processes of its attempts
 * belong to the host: they are there when it is started again.
 */
import { type AgentFlow, composeAgentFlow } from '../../../agent/compose-flow.ts'
import { Wakeup } from '../../../agent/connect/wakeup.ts'
import { type AttemptRef, attemptKey } from '../../../agent/report/attempt-ref.ts'
import { AttemptStore } from '../../../agent/report/attempt-store.ts'
import { Outbox } from '../../../agent/report/outbox.ts'
import type { StoredAttempt } from '../../../agent/report/stored-attempt.ts'
import { isGuarded, needsJournal } from '../../../agent/run/attempt-terms.ts'
import { reportFinished } from '../../../agent/run/conclude.ts'
import { decideOutcome } from '../../../agent/run/decide-outcome.ts'
import type { LiveAttempts } from '../../../agent/run/live-attempts.ts'
import { resumeProcess, runProcess } from '../../../agent/run/process.ts'
import type { TaskHost } from '../../../agent/run/task-context.ts'
import type { TaskEnd } from '../../../agent/run/task-end.ts'
import type { HeldAttempt } from '../../../agent/warden/messages.ts'
import type { StopSwitch } from '../../../agent/warden/stop-switch.ts'
import { type Assignment, Finished } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { AttemptOutcome } from '../../../proto/gen/rota/v1/execution.ts'
import { sleep } from '../../../shared/clock.ts'
import { Ticker } from '../../../shared/ticker.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { createVirtualLogger } from '../world/virtual-logger.ts'
import type { VirtualNetwork } from '../world/virtual-network.ts'
import { VirtualProcess } from '../world/virtual-process.ts'
import type { World } from '../world/world.ts'
import type { VirtualHost } from './virtual-host.ts'

const FORGET_INTERVAL_MS = 60_000
/** The host knows what its processes do. */
const COMMAND = { file: '', args: [], workingDirectory: '', environment: {}, user: undefined }
const NOWHERE = { folder: '', home: '', output: '', logs: { stdout: '', stderr: '' } } as never
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
  readonly host: TaskHost
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
      needsJournal,
      needsSync: isGuarded,
      clock,
      logger,
    })
    const outbox = new Outbox(clock, () => wakeup.wake())
    const warden = this.host.warden.connect(process)
    const bootId = String(this.host.boots)
    const life: AgentLife = {
      host: { clock, logger, environment: {}, shell: '', bootId, warden },
      store,
      outbox,
    }
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
      run: ({ assignment, stop }, onEnded) => {
        void this.#run(assignment, stop, life).finally(onEnded)
      },
      readBootMs: () => world.nowMs,
      onLease: (lease) => warden.renewLease(lease),
      onPlace: () => {
        this.contact += 1
      },
      onSession: () => this.#around.onWelcome(this),
      onAcknowledged: this.#around.onAcknowledged,
    })
    this.#flow = flow
    await this.#recover(life, flow.live)
    await flow.supervisor.start()
    const runOnce = async () => {
      store.forgetOld()
      return FORGET_INTERVAL_MS
    }
    await new Ticker({ name: 'forget', clock, logger, runOnce }).start()
  }

  /** As agent/run/recover.ts. */
  async #recover(life: AgentLife, live: LiveAttempts): Promise<void> {
    const { host, outbox, store } = life
    const unfinished = store.list().filter(({ result }) => result === undefined)
    const left = unfinished.map((each) => ({ key: attemptKey(each), process: each.process }))
    const held = new Map(await host.warden.open(left))
    await sleep(host.clock, 10)
    for (const attempt of store.list()) {
      const key = attemptKey(attempt)
      const known = held.get(key)
      held.delete(key)
      if (attempt.result !== undefined) {
        if (known !== undefined) host.warden.forget(key)
        if (attempt.acknowledgedAtMs !== undefined) continue
        outbox.put({ kind: 'finished', value: attempt.result.finished })
      } else if (known === undefined) await this.#giveUp(attempt, life)
      else this.#adopt(attempt, known, { life, live })
    }
    for (const unknown of held.values()) {
      host.warden.stop(unknown.key, { kind: 'lost', reason: 'the journal misses it' }, 0)
      await host.warden.adopt(unknown)
      host.warden.forget(unknown.key)
    }
  }

  #adopt(
    attempt: StoredAttempt,
    held: HeldAttempt,
    { life, live }: { readonly life: AgentLife; readonly live: LiveAttempts },
  ): void {
    const { assignment } = attempt
    if (assignment === undefined) return
    const { execution, epoch } = assignment
    life.outbox.put({ kind: 'accepted', value: { execution, epoch } })
    if (held.started !== undefined) {
      const startTime = new Date(held.started.startTimeMs)
      life.outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
    }
    void live.adopt(assignment, async ({ stop }) => {
      const end = await resumeProcess(held, stop, life.host.warden)
      await this.#conclude(end, { assignment, stop, life })
    })
  }

  async #giveUp({ execution, epoch }: StoredAttempt, life: AgentLife): Promise<void> {
    const finished = Finished.fromPartial({
      execution,
      epoch,
      outcome: AttemptOutcome.LOST,
      message: 'LEASE_LOST: the agent restarted while the attempt ran',
      endTime: life.host.clock.now(),
    })
    await reportFinished(finished, NO_LOG, life)
  }

  /** As agent/run/run-attempt.ts, with a process that the host has. */
  async #run(assignment: Assignment, stop: StopSwitch, life: AgentLife): Promise<void> {
    const { execution, epoch } = assignment
    const { host, outbox, store } = life
    await sleep(host.clock, this.#random.span(1, 8))
    let end: TaskEnd = { kind: 'not_started', message: 'stopped' }
    if (stop.cause === undefined) {
      this.host.prepare(assignment)
      end = await runProcess(COMMAND, {
        host,
        assignment,
        stop,
        workspace: NOWHERE,
        onStarted: (started) => {
          if (started?.process !== undefined) store.start(assignment, started.process)
          const startTime = new Date(started?.startTimeMs ?? host.clock.now())
          outbox.put({ kind: 'started', value: { execution, epoch, startTime } })
        },
      })
    }
    await this.#conclude(end, { assignment, stop, life })
  }

  async #conclude(
    end: TaskEnd,
    {
      assignment,
      stop,
      life,
    }: { readonly assignment: Assignment; readonly stop: StopSwitch; readonly life: AgentLife },
  ): Promise<void> {
    const { execution, epoch } = assignment
    const finished: Finished = {
      ...Finished.fromPartial({ execution, epoch }),
      ...decideOutcome(end, stop.cause),
      endTime: life.host.clock.now(),
    }
    const isJournaled = await reportFinished(finished, NO_LOG, life)
    if (isJournaled) life.host.warden.forget(attemptKey(assignment))
  }
}

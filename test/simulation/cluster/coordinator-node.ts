/**
 * A coordinator: the product's flow of it, on what the world gives it.
 *
 * Modes: `down` -> `up` -> `leaving` (a graceful stop) -> `down`; killed and started again, it is a new process.
 */

import { composeFlow, type Flow } from '../../../coordinator/compose-flow.ts'
import type { Deps } from '../../../coordinator/deps.ts'
import type { WorkerId } from '../../../coordinator/job/execution.ts'
import { createErrorBoundary } from '../../../coordinator/rpc/error-boundary.ts'
import { HelloGate } from '../../../coordinator/rpc/limits/hello-gate.ts'
import { createStreamWriter } from '../../../coordinator/rpc/stream-writer.ts'
import { createHints } from '../../../coordinator/store/hints.ts'
import { createJobSpecs } from '../../../coordinator/store/job-specs.ts'
import type { ConnectRequest } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { toGrpcStatus } from '../../../shared/errors/rpc-status.ts'
import type { VirtualDatabase } from '../store/virtual-database.ts'
import type { SeededRandom } from '../world/seeded-random.ts'
import { createVirtualLogger } from '../world/virtual-logger.ts'
import type { ServerCall, ServerHandlers, VirtualNetwork } from '../world/virtual-network.ts'
import { VirtualProcess } from '../world/virtual-process.ts'
import { tagOf, type World } from '../world/world.ts'

export const LEASE_MS = 12_000
/** A stop that takes longer is made short, as by an init system. */
const STOP_TIMEOUT_MS = 10_000
/** Of an init system, after a failed start. */
const RESTART_MS = 1_000
const STOP_TAG = tagOf('stop')

export interface CoordinatorSurroundings {
  readonly world: World
  readonly network: VirtualNetwork
  readonly database: VirtualDatabase
  /** The agents of this fleet, by the name in their certificates. */
  readonly workerIds: ReadonlyMap<string, WorkerId>
}

export class CoordinatorNode {
  readonly address: string
  readonly #around: CoordinatorSurroundings
  readonly #random: SeededRandom
  readonly #wall = { offsetMs: 0 }
  #process: VirtualProcess | undefined
  #flow: Flow | undefined
  #deps: Deps | undefined
  #gate: HelloGate | undefined
  #isLeaving = false
  #lives = 0

  constructor(address: string, around: CoordinatorSurroundings) {
    this.address = address
    this.#around = around
    this.#random = around.world.random.fork()
  }

  get process(): VirtualProcess | undefined {
    return this.#process
  }

  get isUp(): boolean {
    return this.#process !== undefined && !this.#process.isDead && !this.#isLeaving
  }

  get isRunning(): boolean {
    return this.isUp && this.#process?.isFrozen === false
  }

  /** What the API of this coordinator works with; undefined when it cannot be reached. */
  get api():
    | { readonly deps: Deps; readonly flow: Flow; readonly process: VirtualProcess }
    | undefined {
    if (!this.isUp || this.#deps === undefined || this.#flow === undefined) return undefined
    return { deps: this.#deps, flow: this.#flow, process: this.#process as VirtualProcess }
  }

  start(): void {
    if (this.isUp) return
    const { database, network, world } = this.#around
    this.#lives += 1
    this.#isLeaving = false
    const process = new VirtualProcess(world, `${this.address}#${this.#lives}`, this.#wall)
    this.#process = process
    const logger = createVirtualLogger(world, process.name)
    const deps: Deps = {
      clock: process.clock,
      random: this.#random,
      logger,
      db: database.open(process),
      hints: createHints(),
      specs: createJobSpecs(),
    }
    const flow = composeFlow(deps, { leaseMs: LEASE_MS, address: () => this.address })
    this.#deps = deps
    this.#flow = flow
    this.#gate = new HelloGate(process.clock, (workerId, detail) =>
      flow.conduct.note(workerId, { offence: 'impostor', detail }),
    )
    world.note(process.name, () => 'STARTS')
    network.listen(this.address, { process, accept: (agent, call) => this.#accept(agent, call) })
    void this.#begin(process, flow)
  }

  /** Without a database it ends, and is started again, as an init system does. */
  async #begin(process: VirtualProcess, flow: Flow): Promise<void> {
    try {
      await flow.membership.start()
      for (const loop of flow.loops) await loop.start()
    } catch {
      // One that was stopped meanwhile has a successor, which is none of its business.
      if (this.#process !== process) return
      this.kill()
      this.#around.world.after(RESTART_MS, STOP_TAG, () => {
        if (this.#process === process) this.start()
      })
    }
  }

  /** SIGKILL: nothing of it runs any more, and the kernel closes its sockets. */
  kill(): void {
    const process = this.#process
    if (process === undefined || process.isDead) return
    const { database, network, world } = this.#around
    world.note(process.name, () => 'KILLED')
    process.kill()
    this.#isLeaving = false
    network.unlisten(this.address)
    for (const stream of network.streamsOf(this.address)) stream.serverDied()
    database.processDied(process)
  }

  freeze(): void {
    const process = this.#process
    if (!this.isRunning || process === undefined) return
    this.#around.world.note(process.name, () => 'FROZEN')
    process.freeze()
    this.#around.database.processFroze(process)
    this.#linksChanged()
  }

  thaw(): void {
    if (this.#process?.isFrozen !== true) return
    this.#around.world.note(this.#process.name, () => 'THAWED')
    this.#process.thaw()
    this.#linksChanged()
  }

  /** SIGTERM, in the order of compose.ts. */
  stopGracefully(): void {
    const process = this.#process
    const flow = this.#flow
    if (!this.isRunning || process === undefined || flow === undefined) return
    this.#around.world.note(process.name, () => 'STOPS')
    this.#isLeaving = true
    this.#around.world.after(STOP_TIMEOUT_MS, STOP_TAG, () => {
      if (this.#process === process) this.kill()
    })
    process.run(() => void this.#leave(process, flow))
  }

  async #leave(process: VirtualProcess, flow: Flow): Promise<void> {
    await flow.leave()
    for (const loop of [...flow.loops].reverse()) await loop.stop()
    await flow.membership.stop()
    // The edge lets what it has written go out before it closes its connections.
    process.clock.after(100, () => {
      if (this.#process === process) this.kill()
    })
  }

  jumpWallClock(offsetMs: number): void {
    this.#wall.offsetMs += offsetMs
  }

  #linksChanged(): void {
    for (const stream of this.#around.network.streamsOf(this.address)) stream.linkChanged()
  }

  /** As rpc/agent-service.ts: a stream becomes a conversation, its errors become statuses. */
  #accept(agent: string, call: ServerCall): ServerHandlers {
    const deps = this.#deps as Deps
    const flow = this.#flow as Flow
    const gate = this.#gate as HelloGate
    const workerId = this.#around.workerIds.get(agent) as WorkerId
    const boundary = createErrorBoundary(deps)
    let isOver = false
    const end = (error: unknown) => {
      if (isOver) return
      isOver = true
      const { known, requestId } = boundary.explain(error, { method: 'AgentService/Connect' })
      const status = toGrpcStatus(known, requestId)
      call.fail(Object.assign(new Error(status.details), status))
    }
    const writer = createStreamWriter(call, { sizeOf: () => 0, onOverflow: end })
    const conversation = flow.converse({
      workerId,
      stream: { send: (message) => writer.write({ message }), end },
    })
    const unwatch = flow.conduct.watch(workerId, end)
    let isGreeted = false
    const take = async (request: ConnectRequest): Promise<void> => {
      const { message } = request
      if (isGreeted || message?.$case !== 'hello') return conversation.handle(request)
      isGreeted = true
      await gate.pass(workerId, message.value, async () => conversation.handle(request))
    }
    return {
      onMessage: (request) => take(request).catch(end),
      onEnd: () => {
        isOver = true
        unwatch()
        conversation.end()
      },
    }
  }
}

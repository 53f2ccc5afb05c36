/** A client of the API that remembers what it was promised, and how long every call took. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { Job } from '../../../proto/gen/rota/v1/job.ts'
import { RotaError } from '../../../shared/errors/rota-error.ts'
import type { ApiClients, CallPatience } from '../../support/api-clients.ts'
import type { CoordinatorNode } from '../cluster/coordinator.ts'

/** A call that took longer has hung. */
const IMPATIENT: CallPatience = { deadlineMs: 6_000, isPatient: false }
const PAUSE_MS = 200

export interface AcknowledgedTrigger {
  readonly requestId: string
  /** Id of the execution. */
  readonly execution: string
  readonly job: string
  readonly atMs: number
}

export interface ApiCall {
  readonly coordinator: string
  readonly startMs: number
  readonly tookMs: number
  /** `OK`, or the code of the error. */
  readonly code: string
}

export interface LoadClient {
  readonly acknowledged: readonly AcknowledgedTrigger[]
  readonly calls: readonly ApiCall[]
  /** Triggers until some coordinator acknowledges it, always with the same request id. */
  trigger(job: string, request?: TriggerRequest): Promise<AcknowledgedTrigger>
  /** Makes the job, unless it is there. */
  createJob(name: string, spec: object): Promise<void>
  cancel(execution: string): Promise<void>
  /** The worker gets nothing new. */
  cordon(worker: string): Promise<void>
  release(worker: string): Promise<void>
  /** One call, to one coordinator; answers what it said. */
  ask(coordinator: CoordinatorNode): Promise<ApiCall>
  close(): void
}

export interface TriggerRequest {
  readonly parameters?: Readonly<Record<string, string>>
  /** Its name; default is any. */
  readonly worker?: string
}

export function createClient(coordinators: readonly CoordinatorNode[]): LoadClient {
  const acknowledged: AcknowledgedTrigger[] = []
  const calls: ApiCall[] = []
  const clients = new Map(coordinators.map((node) => [node, node.clients(IMPATIENT)]))
  let turn = 0
  let isClosed = false

  const call = async <T>(node: CoordinatorNode, method: (api: ApiClients) => Promise<T>) => {
    const api = clients.get(node)
    if (api === undefined) throw new Error(`no client of ${node.name}`)
    const startMs = Date.now()
    const from = performance.now()
    const note = (code: string): ApiCall => {
      const noted = { coordinator: node.name, startMs, tookMs: performance.now() - from, code }
      calls.push(noted)
      return noted
    }
    try {
      const answer = await method(api.promised)
      return { answer, noted: note('OK') }
    } catch (error) {
      return { error, noted: note(codeOf(error)) }
    }
  }

  /** At one coordinator after the other, until it is acknowledged. */
  const insist = async <T>(method: (api: ApiClients) => Promise<T>): Promise<T> => {
    for (;;) {
      if (isClosed) throw new Error('the client is closed')
      const node = coordinators[turn++ % coordinators.length]
      if (node === undefined) throw new Error('there is no coordinator')
      const outcome = await call(node, method)
      if ('answer' in outcome) return outcome.answer
      if (!isWorthRepeating(outcome.noted.code)) throw outcome.error
      await sleep(PAUSE_MS)
    }
  }

  return {
    acknowledged,
    calls,
    async trigger(job, { parameters = {}, worker = '' } = {}) {
      const requestId = randomUUID()
      const { execution } = await insist(({ jobs }) =>
        jobs.triggerJob({
          name: `jobs/${job}`,
          requestId,
          parameters,
          worker: worker === '' ? '' : `workers/${worker}`,
        }),
      )
      const id = execution?.name.replace('executions/', '') ?? ''
      const promise = { requestId, execution: id, job, atMs: Date.now() }
      acknowledged.push(promise)
      return promise
    },
    async createJob(name, spec) {
      const job = Job.fromJSON({ spec })
      await insist(({ jobs }) => jobs.createJob({ jobId: name, job })).catch((error: unknown) => {
        if (!(error instanceof RotaError && error.code === 'ALREADY_EXISTS')) throw error
      })
    },
    async cancel(execution) {
      await insist(({ executions }) =>
        executions.cancelExecution({ name: `executions/${execution}` }),
      )
    },
    async cordon(worker) {
      await insist(({ workers }) => workers.cordonWorker({ name: `workers/${worker}` }))
    },
    async release(worker) {
      await insist(({ workers }) => workers.releaseWorker({ name: `workers/${worker}` }))
    },
    ask: async (node) => (await call(node, ({ jobs }) => jobs.listJobs({ pageSize: 1 }))).noted,
    close() {
      isClosed = true
      for (const api of clients.values()) api.close()
    },
  }
}

/** As it was on the wire, or as the client's own channel put it. */
function codeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'number' ? (status[code] ?? 'UNKNOWN') : 'UNKNOWN'
}

function isWorthRepeating(code: string): boolean {
  return [
    'UNAVAILABLE',
    'DEADLINE_EXCEEDED',
    'ABORTED',
    'RESOURCE_EXHAUSTED',
    'CANCELLED',
  ].includes(code)
}

/** Clients of the API as promises: what tests say is completed with defaults, what comes back is the coordinator's word. */
import { readFileSync } from 'node:fs'
import {
  type CallOptions,
  type Client,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import { CalendarServiceClient } from '../../proto/gen/rota/v1/calendar_service.ts'
import { ExecutionServiceClient } from '../../proto/gen/rota/v1/execution_service.ts'
import { FreezeServiceClient } from '../../proto/gen/rota/v1/freeze_service.ts'
import { JobServiceClient } from '../../proto/gen/rota/v1/job_service.ts'
import { SystemServiceClient } from '../../proto/gen/rota/v1/system_service.ts'
import { WorkerServiceClient } from '../../proto/gen/rota/v1/worker_service.ts'
import { CLIENT_CHANNEL_OPTIONS } from '../../shared/channel-options.ts'
import type { coordinatorFiles } from '../../shared/data-dir.ts'
import { fromServiceError } from '../../shared/errors/rpc-status.ts'

/** The overload with metadata and options. */
type Unary<M> = M extends (
  request: infer Q,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: infer R) => void,
) => unknown
  ? (request: Partial<Q>) => Promise<R>
  : never

/** The unary methods of a client as promises; errors are what the coordinator said. */
export type Promised<C> = { [K in keyof C as K extends `$${string}` ? never : K]: Unary<C[K]> }

export interface ApiClients {
  readonly jobs: Promised<JobServiceClient>
  readonly executions: Promised<ExecutionServiceClient>
  readonly workers: Promised<WorkerServiceClient>
  readonly calendars: Promised<CalendarServiceClient>
  readonly freezes: Promised<FreezeServiceClient>
  readonly system: Promised<SystemServiceClient>
}

/** How long a call may take; a patient one waits so long for a connection too. */
export interface CallPatience {
  readonly deadlineMs: number
  readonly isPatient: boolean
}

const PATIENT: CallPatience = { deadlineMs: 10_000, isPatient: true }

/** Clients with the admin token of this data folder. */
export function openClients(
  address: string,
  files: ReturnType<typeof coordinatorFiles>,
  patience: CallPatience = PATIENT,
): { readonly promised: ApiClients; close(): void } {
  const secure = credentials.createSsl(readFileSync(files.caCertificate))
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${readFileSync(files.adminToken, 'utf8').trim()}`)
  const call = { metadata, patience }
  const all = {
    jobs: new JobServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
    executions: new ExecutionServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
    workers: new WorkerServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
    calendars: new CalendarServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
    freezes: new FreezeServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
    system: new SystemServiceClient(address, secure, CLIENT_CHANNEL_OPTIONS),
  }
  return {
    promised: {
      jobs: promised(all.jobs, call),
      executions: promised(all.executions, call),
      workers: promised(all.workers, call),
      calendars: promised(all.calendars, call),
      freezes: promised(all.freezes, call),
      system: promised(all.system, call),
    },
    close: () => Object.values(all).forEach((client) => void client.close()),
  }
}

interface CallSettings {
  readonly metadata: Metadata
  readonly patience: CallPatience
}

function promised<C extends Client>(client: C, { metadata, patience }: CallSettings): Promised<C> {
  const { deadlineMs, isPatient } = patience
  return new Proxy(client, {
    get: (target, method) => (request: object) =>
      new Promise((resolve, reject) => {
        const call: unknown = Reflect.get(target, method)
        if (typeof call !== 'function') throw new Error(`no method ${String(method)}`)
        const options = { deadline: new Date(Date.now() + deadlineMs), waitForReady: isPatient }
        const callback = (error: ServiceError | null, response: unknown) =>
          error === null ? resolve(response) : reject(fromServiceError(error).error)
        call.call(target, completed(String(method), request), metadata, options, callback)
      }),
  }) as unknown as Promised<C>
}

/** Fields that a test leaves out have their defaults, as on the wire. */
function completed(method: string, request: object): object {
  return { ...DEFAULTS[method], ...request }
}

const LIST = { pageSize: 0, pageToken: '', filter: '', orderBy: '' }
const DEFAULTS: Readonly<Record<string, object>> = {
  listJobs: { ...LIST, query: '', showDeleted: false },
  createJob: { jobId: '', requestId: '', validateOnly: false },
  updateJob: { allowMissing: false, validateOnly: false },
  deleteJob: { etag: '', force: false, allowMissing: false, validateOnly: false },
  pauseJob: { reason: '', validateOnly: false },
  resumeJob: { validateOnly: false },
  rollbackJob: { note: '', validateOnly: false },
  skipJob: { count: 0, reason: '', undo: false },
  triggerJob: { requestId: '', worker: '', validateOnly: false },
  backfillJob: { validateOnly: false, maxParallel: 0, includeSucceeded: false, requestId: '' },
  listOccurrences: { job: '', filter: '', pageSize: 0, pageToken: '' },
  previewSchedule: { count: 0 },
  explainOccurrence: { localTime: '' },
  listUpcomingRuns: { job: '', filter: '', pageSize: 0, pageToken: '', withDensity: false },
  listJobVersions: { pageSize: 0, pageToken: '' },
  listExecutions: { ...LIST, job: '' },
  listExecutionEvents: { execution: '', pageSize: 0, pageToken: '' },
  cancelExecution: { reason: '', force: false },
  listCalendars: LIST,
  createCalendar: { calendarId: '', requestId: '', validateOnly: false },
  updateCalendar: { validateOnly: false },
  deleteCalendar: { etag: '', allowMissing: false },
  importCalendar: { keep: false, validateOnly: false },
  listFreezes: LIST,
  createFreeze: { freezeId: '', requestId: '', validateOnly: false },
  deleteFreeze: { allowMissing: false },
  listWorkers: { ...LIST, capability: '' },
  cordonWorker: { reason: '' },
  drainWorker: { force: false, reason: '' },
  deleteWorker: { force: false },
  createEnrollmentToken: { maxUses: 0, labels: {}, worker: '' },
}

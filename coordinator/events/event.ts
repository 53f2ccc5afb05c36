/** What can happen to a job, an execution or a worker. Words of `rota.event`. */

const EXECUTION_CHANGES = [
  'created',
  /** Released: its time came, its backoff is over, or what it waited for is there. */
  'queued',
  'assigned',
  /** Refused or never accepted: the attempt does not count. */
  'requeued',
  'started',
  /** The database has lost its assignment in a failover, and its worker still had it. */
  'restored',
  /** An attempt failed and another one is allowed. */
  'retried',
  /** An attempt was lost with its worker and another one is allowed. */
  'lost',
  'cancel_requested',
  'settled',
] as const

const JOB_CHANGES = ['created', 'updated', 'paused', 'resumed', 'completed', 'deleted'] as const

const WORKER_CHANGES = [
  'joined',
  'connected',
  /** Its lease ended. */
  'lost',
  'updated',
  'cordoned',
  'draining',
  'drained',
  'released',
  'deleted',
] as const

export type ExecutionChange = (typeof EXECUTION_CHANGES)[number]
export type JobChange = (typeof JOB_CHANGES)[number]
export type WorkerChange = (typeof WORKER_CHANGES)[number]
export type Change = ExecutionChange | JobChange | WorkerChange

/** Every word once. */
export const CHANGES: readonly Change[] = [
  ...new Set([...EXECUTION_CHANGES, ...JOB_CHANGES, ...WORKER_CHANGES]),
]

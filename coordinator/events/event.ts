/** What can happen to a job, an execution or a worker. Words of `rota.event`. */

export type ExecutionChange =
  | 'created'
  /** Released: its time came, its backoff is over, or what it waited for is there. */
  | 'queued'
  | 'assigned'
  /** Refused or never accepted: the attempt does not count. */
  | 'requeued'
  | 'started'
  /** An attempt failed and another one is allowed. */
  | 'retried'
  /** An attempt was lost with its worker and another one is allowed. */
  | 'lost'
  | 'cancel_requested'
  | 'settled'

export type JobChange = 'created' | 'updated' | 'paused' | 'resumed' | 'completed' | 'deleted'

export type WorkerChange =
  | 'joined'
  | 'connected'
  /** Its lease ended. */
  | 'lost'
  | 'updated'
  | 'cordoned'
  | 'draining'
  | 'drained'
  | 'released'
  | 'deleted'

export type Change = ExecutionChange | JobChange | WorkerChange

/** What an execution and its attempts are, inside the coordinator. Words as in the contract, in lower case. */

/** States of an execution that has not ended: rows of `rota.execution`. */
export const LIVE_STATES = ['waiting', 'queued', 'assigned', 'running', 'backoff'] as const
/** States that never change again: rows of `rota.execution_history`. */
export const FINAL_STATES = ['succeeded', 'failed', 'cancelled', 'uncertain', 'skipped'] as const

export type LiveState = (typeof LIVE_STATES)[number]
export type FinalState = (typeof FINAL_STATES)[number]
export type ExecutionState = LiveState | FinalState

export type AttemptOutcome =
  | 'succeeded'
  | 'failed'
  | 'timed_out'
  | 'cancelled'
  | 'lost'
  | 'refused'
  | 'start_failed'
  | 'superseded'

/** Outcomes that speak against the worker. */
export function isFailure(outcome: AttemptOutcome): boolean {
  return ['failed', 'timed_out', 'start_failed', 'lost'].includes(outcome)
}

export type Trigger =
  | 'schedule'
  | 'manual'
  | 'dependency'
  | 'workflow'
  | 'catch_up'
  | 'backfill'
  | 'replay'

export type Guarantee = 'at_least_once' | 'exclusive' | 'at_most_once'

/** Branded so that one id is never taken for another. */
export type JobId = number & { readonly brand: 'JobId' }
export type WorkerId = number & { readonly brand: 'WorkerId' }
export type ExecutionId = string & { readonly brand: 'ExecutionId' }
export type SessionId = string & { readonly brand: 'SessionId' }
/** The fencing token. A 53-bit number: at a million assignments a second it lasts 285 years. */
export type Epoch = number & { readonly brand: 'Epoch' }

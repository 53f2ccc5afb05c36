/** How a task ended, before why it was stopped is taken into account. */
import type { ErrorReason } from '../../shared/errors/catalogue.ts'
import type { ProcessEnd } from '../warden/messages.ts'

/** Outputs of an attempt: what JSON and google.protobuf.Struct can hold. */
export type Outputs = Readonly<Record<string, unknown>>

/** What the warden saw of a process. */
export type ProcessFacts = Pick<ProcessEnd, 'startTimeMs' | 'endTimeMs' | 'usage'>

export type TaskEnd =
  | { readonly kind: 'exited'; readonly exitCode: number; readonly facts?: ProcessFacts }
  | { readonly kind: 'signalled'; readonly signal: string; readonly facts?: ProcessFacts }
  /** A call or a handler; its outputs are its own. */
  | { readonly kind: 'returned'; readonly outputs: Outputs | undefined }
  | {
      readonly kind: 'failed'
      readonly reason: ErrorReason
      readonly message: string
      readonly exitCode?: number | undefined
      readonly outputs?: Outputs
    }
  | { readonly kind: 'not_started'; readonly message: string }
  /** It did not react to the request to stop; nothing can force a function to end. */
  | { readonly kind: 'abandoned' }

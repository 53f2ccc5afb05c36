/** All that is known of a run when it is judged: what the database says, what the witness saw, what was promised. */
import type { AcknowledgedTrigger, ApiCall } from '../load/client.ts'
import type { LoadJob } from '../load/load-jobs.ts'
import type { Life } from '../witness/witness.ts'

/** The stretch of time in which a fault was there, and its consequences may be seen. */
export interface FaultWindow {
  readonly fault: string
  readonly fromMs: number
  readonly toMs: number
  /**
   * Which attempts of an execution may live beside each other because of it: none; those of at-least-once jobs, when an
   * agent was out of touch for longer than its lease; any, when a whole host stood still and woke up.
   */
  readonly allowsOverlap: 'none' | 'at_least_once' | 'any'
  /** What was acknowledged meanwhile may be gone: the database went back. */
  readonly losesWrites: boolean
}

export interface ExecutionEvidence {
  readonly id: string
  readonly job: string
  readonly state: string
  readonly trigger: string
  readonly attempt: number
  readonly maxAttempts: number
  readonly reasonCode: string
  readonly isSettled: boolean
}

export interface AttemptEvidence {
  readonly execution: string
  readonly number: number
  readonly epoch: bigint
  readonly worker: string
  readonly outcome: string
  readonly assignedMs: number
  readonly endedMs: number
  /** Bytes that were kept, and whether none was dropped. */
  readonly stdout: string
  readonly droppedBytes: number
}

export interface OccurrenceEvidence {
  readonly job: string
  readonly dueMs: number
  readonly decidedMs: number
  readonly decision: string
  readonly execution: string | undefined
}

/** A job's schedule: everything up to the mark is decided. */
export interface ScheduleEvidence {
  readonly job: string
  readonly createdMs: number
  readonly markMs: number
}

/** A result that an agent was told is stored. */
export interface AcknowledgedResult {
  readonly worker: string
  readonly execution: string
  readonly epoch: bigint
}

export interface SettledSighting {
  readonly execution: string
  readonly state: string
  readonly atMs: number
}

export interface ProcessSize {
  readonly name: string
  readonly residentBytes: number
  readonly descriptors: number
}

export interface Evidence {
  readonly jobs: ReadonlyMap<string, LoadJob>
  readonly windows: readonly FaultWindow[]
  readonly lives: readonly Life[]
  readonly executions: readonly ExecutionEvidence[]
  readonly attempts: readonly AttemptEvidence[]
  readonly occurrences: readonly OccurrenceEvidence[]
  readonly schedules: readonly ScheduleEvidence[]
  readonly acknowledgedTriggers: readonly AcknowledgedTrigger[]
  readonly acknowledgedResults: readonly AcknowledgedResult[]
  /** Results of epochs that were not current any more, kept as evidence. */
  readonly lateResults: readonly AcknowledgedResult[]
  /** Final states as they were first seen. */
  readonly sightings: readonly SettledSighting[]
  readonly calls: readonly ApiCall[]
  /** Of each worker. */
  readonly slots: ReadonlyMap<string, number>
  /** True when the load has stopped and everything had time to end. */
  readonly isQuiet: boolean
  /** Looked for when it is quiet: processes, folders and FIFOs of attempts that have ended. */
  readonly leftovers: readonly string[]
  readonly leftoverPlaces: number
  readonly sizes: readonly ProcessSize[]
}

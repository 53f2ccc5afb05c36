/** Every field of a job: nothing is stored that this release would misread or ignore. */
import { Guarantee, type Job, type JobSpec, type Limits } from '../../proto/gen/rota/v1/job.ts'
import {
  checkDuration,
  checkEnum,
  checkInteger,
  checkLength,
  refuseFeature,
  refuseUnless,
  violation,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { checkSchedule } from '../../shared/schedule/check-schedule.ts'
import { validateConcurrency } from './validate-concurrency.ts'
import { validateDependencies } from './validate-dependencies.ts'
import { checkJobName } from './validate-job-id.ts'
import { validateLabels, validateTags } from './validate-labels.ts'
import { validateParameterDeclarations } from './validate-parameters.ts'
import { type KnownFleet, validatePlacement } from './validate-placement.ts'
import { validateRetry } from './validate-retry.ts'
import { validateTask } from './validate-task.ts'

export interface KnownWorld extends KnownFleet {
  /** Decides whether the schedule has a due time left. */
  readonly now: Date
}

const DISPLAY_NAME_LENGTH_MAX = 200
const DESCRIPTION_BYTES_MAX = 4 * 1_024

/** A shorter timeout ends processes before they have begun. */
const TIMEOUT_MS_MIN = 100
const START_DEADLINE_MS_MIN = 1_000
/** An attempt whose output passes this is stopped in any case. */
const LOG_BYTES_MAX = 1_073_741_824n

/**
 * What is wrong with a job, with paths from `job` on. Fields that the coordinator fills (OUTPUT_ONLY) are not looked at.
 * Whether the jobs that it depends on exist and form no cycle is not asked here.
 */
export function validateJob(job: Job, known: KnownWorld): FieldViolation[] {
  const { displayName } = job
  return [
    ...(job.name === '' ? [] : checkJobName('job.name', job.name)),
    ...refuseUnless(displayName.length <= DISPLAY_NAME_LENGTH_MAX, 'job.display_name', {
      reason: 'FIELD_TOO_LONG',
      message: `is longer than ${DISPLAY_NAME_LENGTH_MAX} characters`,
    }),
    ...refuseUnless(!/\p{Cc}/u.test(displayName), 'job.display_name', {
      message: 'holds a line break or another control character',
    }),
    ...checkLength('job.description', job.description, DESCRIPTION_BYTES_MAX),
    ...validateLabels('job.labels', job.labels),
    ...validateTags('job.tags', job.tags),
    ...validateSpec(job, known),
  ]
}

function validateSpec({ name, spec }: Job, known: KnownWorld): FieldViolation[] {
  const field = 'job.spec'
  if (spec === undefined) {
    return [violation(field, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
  }
  const parameters = spec.parameters.map((parameter) => parameter.name)
  const priority = spec.priority ?? 0
  return [
    ...validateTask(`${field}.task`, spec.task, { fleet: known, parameters }),
    ...checkSchedule(`${field}.schedule`, spec.schedule, known.now),
    ...validateDependencies(`${field}.dependencies`, spec.dependencies, name),
    ...validatePlacement(`${field}.placement`, spec.placement, known),
    ...checkInteger(`${field}.priority`, priority, { min: 0, max: 100 }),
    ...validateRetry(`${field}.retry`, spec.retry, spec.guarantee),
    ...checkEnum(`${field}.guarantee`, spec.guarantee, Guarantee),
    ...checkDuration(`${field}.timeout`, spec.timeout, TIMEOUT_MS_MIN),
    ...checkDuration(`${field}.kill_grace`, spec.killGrace, 0),
    ...checkDuration(`${field}.start_deadline`, spec.startDeadline, START_DEADLINE_MS_MIN),
    ...validateConcurrency(`${field}.concurrency`, spec.concurrency),
    ...validateParameterDeclarations(`${field}.parameters`, spec.parameters),
    ...validateLimits(`${field}.limits`, spec.limits),
    ...refuseLaterFeatures(field, spec),
  ]
}

function validateLimits(field: string, limits: Limits | undefined): FieldViolation[] {
  if (limits === undefined) return []
  const { cpus, memoryBytes, processes, logBytes } = limits
  const isRight = logBytes >= 0n && logBytes <= LOG_BYTES_MAX
  return [
    ...refuseFeature(cpus !== 0, `${field}.cpus`, 'A limit of CPUs'),
    ...refuseFeature(memoryBytes !== 0n, `${field}.memory_bytes`, 'A limit of memory'),
    ...refuseFeature(processes !== 0, `${field}.processes`, 'A limit of processes'),
    ...refuseUnless(isRight, `${field}.log_bytes`, {
      message: `${logBytes} is not from 0 to ${LOG_BYTES_MAX}`,
    }),
  ]
}

function refuseLaterFeatures(field: string, spec: JobSpec): FieldViolation[] {
  return [
    ...refuseFeature(spec.disconnect !== undefined, `${field}.disconnect`, 'A disconnect policy'),
    ...refuseFeature(
      spec.pauseAfterFailures !== 0,
      `${field}.pause_after_failures`,
      'Pausing after failures',
    ),
    ...refuseFeature(spec.retention !== undefined, `${field}.retention`, 'Retention per job'),
  ]
}

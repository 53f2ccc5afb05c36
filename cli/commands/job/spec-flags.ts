/** Where and how a job runs: placement, priority, retries, timeouts, guarantee, parameters, dependencies. */
import {
  Concurrency,
  Concurrency_Overlap,
  Guarantee,
  type JobSpec,
  Parameter,
  Parameter_Kind,
  Placement,
  RetryPolicy,
  RetryPolicy_Kind,
} from '../../../proto/gen/rota/v1/job.ts'
import { durationFromMs } from '../../../shared/duration.ts'
import { enumFromWord } from '../../../shared/wire.ts'
import { toName } from '../../names.ts'
import {
  NONE,
  readDuration,
  readInteger,
  readSpan,
  readWord,
  usageError,
  withoutNone,
} from '../../option-values.ts'
import { wordsOf } from '../../words.ts'
import type { JobFlags } from './flags.ts'
import { changeSchedule, parseDependency } from './schedule-flags.ts'

/** Fields of the spec with their new values; undefined removes a field. */
export type SpecChange = Partial<JobSpec>

/** What the options change of `base`, beside its task. */
export function changeSpec(base: JobSpec, flags: JobFlags, now: Date): SpecChange {
  const schedule = changeSchedule(base.schedule, flags, now)
  return {
    ...(schedule === null ? {} : { schedule }),
    ...changePlacement(base, flags),
    ...changeRetry(base, flags),
    ...changeLimits(flags),
    ...changeConcurrency(base, flags),
    ...(flags.after && { dependencies: withoutNone(flags.after).map(parseDependency) }),
    ...(flags.param && { parameters: withoutNone(flags.param).map(readParameter) }),
  }
}

function changePlacement({ placement }: JobSpec, flags: JobFlags): SpecChange {
  const { capability, selector, worker } = flags
  if (capability === undefined && selector === undefined && worker === undefined) return {}
  return {
    placement: Placement.fromPartial({
      ...placement,
      ...(capability && { capabilities: withoutNone(capability) }),
      ...(selector !== undefined && { selector: selector === NONE ? '' : selector }),
      ...(worker !== undefined && { worker: worker === NONE ? '' : toName('workers', worker) }),
    }),
  }
}

function changeRetry({ retry }: JobSpec, flags: JobFlags): SpecChange {
  const { retries, retryDelay, retryMaxDelay, retryBackoff } = flags
  const shape = retryDelay ?? retryMaxDelay ?? retryBackoff
  if (retries === undefined && shape === undefined) return {}
  const maxRetries =
    retries === undefined
      ? retry?.maxRetries
      : readInteger('--retries', retries, { min: 0, max: 1_000 })
  if (!maxRetries && shape !== undefined) {
    throw usageError(
      '--retries',
      'is missing',
      'Say how often it may be tried again, e.g. --retries 3.',
    )
  }
  if (!maxRetries) return { retry: RetryPolicy.fromPartial({ kind: RetryPolicy_Kind.NONE }) }
  const kind = readBackoff(retryBackoff) ?? keptKind(retry)
  return {
    retry: RetryPolicy.fromPartial({
      ...retry,
      // A fixed wait does not grow.
      ...(kind === RetryPolicy_Kind.FIXED && { maxDelay: undefined, multiplier: 0 }),
      kind,
      maxRetries,
      ...(retryDelay && { delay: durationFromMs(readDuration('--retry-delay', retryDelay)) }),
      ...(retryMaxDelay && {
        maxDelay: durationFromMs(readDuration('--retry-max-delay', retryMaxDelay)),
      }),
    }),
  }
}

function readBackoff(text: string | undefined) {
  if (text === undefined) return undefined
  const word = readWord('--retry-backoff', text, ['fixed', 'exponential'] as const)
  return enumFromWord(RetryPolicy_Kind, word)
}

function keptKind(retry: RetryPolicy | undefined) {
  const kind = retry?.kind ?? RetryPolicy_Kind.UNSPECIFIED
  return kind === RetryPolicy_Kind.FIXED ? kind : RetryPolicy_Kind.EXPONENTIAL
}

function changeConcurrency({ concurrency }: JobSpec, flags: JobFlags): SpecChange {
  const { overlap, atOnce } = flags
  if (overlap === undefined && atOnce === undefined) return {}
  if (overlap === NONE || atOnce === NONE) return { concurrency: undefined }
  return {
    concurrency: Concurrency.fromPartial({
      ...concurrency,
      ...(overlap !== undefined && { overlap: readOverlap(overlap) }),
      ...(atOnce !== undefined && {
        max: readInteger('--at-once', atOnce, { min: 1, max: 1_000 }),
      }),
    }),
  }
}

function readOverlap(text: string): Concurrency_Overlap {
  return enumFromWord(
    Concurrency_Overlap,
    readWord('--overlap', text, wordsOf(Concurrency_Overlap)),
  )
}

function changeLimits(flags: JobFlags): SpecChange {
  const { priority, timeout, killGrace, guarantee, startDeadline } = flags
  return {
    ...(startDeadline !== undefined && {
      startDeadline: readSpan('--start-deadline', startDeadline),
    }),
    ...(priority !== undefined && { priority: readPriority(priority) }),
    ...(timeout !== undefined && { timeout: readSpan('--timeout', timeout) }),
    ...(killGrace !== undefined && { killGrace: readSpan('--kill-grace', killGrace) }),
    ...(guarantee !== undefined && {
      guarantee: enumFromWord(Guarantee, readWord('--guarantee', guarantee, wordsOf(Guarantee))),
    }),
  }
}

const PRIORITIES: Readonly<Record<string, number>> = { low: 25, medium: 50, high: 75 }

function readPriority(text: string): number {
  const named = PRIORITIES[text.toLowerCase()]
  if (named !== undefined) return named
  if (/^\d+$/.test(text)) return readInteger('--priority', text, { min: 0, max: 100 })
  readWord('--priority', text, Object.keys(PRIORITIES))
  return 50
}

/** `day=monday` has a default; `day` alone must be given with each trigger. */
function readParameter(text: string): Parameter {
  const at = text.indexOf('=')
  const kind = Parameter_Kind.STRING
  if (at < 0) return Parameter.fromPartial({ name: text, kind, required: true })
  return Parameter.fromPartial({ name: text.slice(0, at), kind, default: text.slice(at + 1) })
}

/**
 * When a schedule is due next: its recurrences in union, within its window.
 *
 * N1. A schedule that validation accepts never throws and never hangs, for any seed, zone and time; what it would refuse is
 *     never due.
 * N2. The caches change how long an answer takes, never the answer.
 * N3. Jitter moves every due time of a job by the same span, so none is lost and none overtakes another.
 */
import {
  DstPolicy_Fold,
  DstPolicy_Gap,
  type Recurrence,
  type Schedule,
} from '../../proto/gen/rota/v1/job.ts'
import { durationToMs } from '../duration.ts'
import { RecentlyUsed } from '../recently-used.ts'
import { compileCron } from './cron/cron.ts'
import { DEFAULT_DST, type DstRule, nextInstant, type WallRule } from './next-instant.ts'
import { EVERY_MS_MAX, EVERY_MS_MIN, readRules, type ScheduleRule } from './rule-text.ts'
import { seedFraction } from './seed-fraction.ts'
import { isTimeZone } from './zone/time-zone.ts'
import { ZoneOffsets } from './zone/zone-offsets.ts'

export interface ScheduleContext {
  /** Picks the values of `H`, and the jitter: the job's uid. */
  readonly seed: string
  /** Where intervals without a phase count from: the creation time of the job. */
  readonly anchor: Date
}

export interface DueSearch extends ScheduleContext {
  readonly schedule: Schedule
  readonly after: Date
}

/** A schedule made ready to be walked: worth keeping for several questions. */
export interface CompiledSchedule {
  /** The first due time strictly after `afterMs`, in ms since the Unix epoch; Infinity for none. */
  next(afterMs: number): number
}

/** No due time is outside: the contract's timestamps hold the years 1 to 9999. */
const DUE_MS_MIN = Date.parse('0001-01-01T00:00:00Z')
const DUE_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z')

/** A hundred thousand jobs share few expressions; one of its own takes a tenth of a millisecond to read again. */
const TEXTS_MAX = 5_000
const ZONES_MAX = 1_000

type ReadyRule =
  | { readonly kind: 'wall'; readonly wall: WallRule }
  | Exclude<ScheduleRule, { readonly kind: 'cron' }>

const texts = new RecentlyUsed<readonly ReadyRule[]>(TEXTS_MAX)
const zones = new RecentlyUsed<ZoneOffsets | 'none'>(ZONES_MAX)

/**
 * The first due time strictly after `after`: of any recurrence, not before `not_before`, not after `not_after` (both
 * inclusive). Undefined when there is none any more.
 */
export function nextDue({ schedule, after, ...context }: DueSearch): Date | undefined {
  const dueMs = compileSchedule(schedule, context).next(after.getTime())
  return dueMs === Infinity ? undefined : new Date(dueMs)
}

/** Makes `schedule` ready to be walked; cheap when its texts were seen before. */
export function compileSchedule(schedule: Schedule, context: ScheduleContext): CompiledSchedule {
  const punctual = compilePunctual(schedule, context)
  const laterMs = jitterOf(schedule, context.seed)
  if (laterMs === 0) return punctual
  return {
    next(afterMs) {
      const dueMs = punctual.next(afterMs - laterMs) + laterMs
      return dueMs <= DUE_MS_MAX ? dueMs : Infinity
    },
  }
}

/** By how much the due times of a job are later, in ms: whole seconds from 0 to the jitter. */
function jitterOf({ jitter }: Schedule, seed: string): number {
  if (jitter === undefined) return 0
  const seconds = Math.floor(durationToMs(jitter) / 1_000)
  return seconds > 0 ? Math.floor(seedFraction(seed, 'jitter') * (seconds + 1)) * 1_000 : 0
}

/** Without jitter. */
function compilePunctual(schedule: Schedule, context: ScheduleContext): CompiledSchedule {
  const startMs = Math.max(schedule.notBefore?.getTime() ?? DUE_MS_MIN, DUE_MS_MIN) - 1
  const endMs = Math.min(schedule.notAfter?.getTime() ?? DUE_MS_MAX, DUE_MS_MAX)
  const walks = schedule.recurrences.flatMap((recurrence) => walksOf(recurrence, schedule, context))
  return {
    next(afterMs) {
      // Not a time: never due.
      if (!(afterMs < endMs)) return Infinity
      const fromMs = Math.max(afterMs, startMs)
      let dueMs = Infinity
      for (const walk of walks) dueMs = Math.min(dueMs, walk(fromMs))
      return dueMs <= endMs ? dueMs : Infinity
    },
  }
}

/** The first due time strictly after one, in ms; Infinity for none. */
type Walk = (afterMs: number) => number

function walksOf(recurrence: Recurrence, schedule: Schedule, context: ScheduleContext): Walk[] {
  const { kind } = recurrence
  switch (kind?.$case) {
    case 'cron':
      return walksOfText(kind.value, schedule, context)
    case 'text':
      return walksOfText(recurrence.compiled, schedule, context)
    case 'every': {
      const everyMs = durationToMs(kind.value)
      const phaseMs = durationToMs(recurrence.phase)
      const isRight = everyMs >= EVERY_MS_MIN && everyMs <= EVERY_MS_MAX
      return isRight ? [walkInterval(everyMs, phaseMs ?? context.anchor.getTime())] : []
    }
    case 'at':
      return [walkOnce(kind.value.getTime())]
    case undefined:
      return []
  }
}

function walksOfText(text: string, schedule: Schedule, context: ScheduleContext): Walk[] {
  return cachedRules(text, context.seed).map((rule) => walkRule(rule, schedule, context.anchor))
}

function walkRule(rule: ReadyRule, schedule: Schedule, anchor: Date): Walk {
  switch (rule.kind) {
    case 'wall':
      return walkWall(rule.wall, schedule)
    case 'every':
      return walkInterval(rule.everyMs, rule.phaseMs ?? anchor.getTime())
    case 'at':
      return walkOnce(rule.atMs)
  }
}

function walkWall(rule: WallRule, schedule: Schedule): Walk {
  const zone = zones.get(schedule.timeZone || 'UTC', () => openZone(schedule.timeZone || 'UTC'))
  if (zone === 'none') return () => Infinity
  const search = { rule, zone, dst: dstRule(schedule) }
  return (afterMs) => nextInstant(search, Math.floor(afterMs / 1_000)) * 1_000
}

/** The first of anchor + everyMs, anchor + 2 everyMs, ... strictly after `afterMs`. */
function walkInterval(everyMs: number, anchorMs: number): Walk {
  return (afterMs) =>
    anchorMs + Math.max(1, Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs
}

function walkOnce(atMs: number): Walk {
  return (afterMs) => (atMs > afterMs ? atMs : Infinity)
}

/** The policy of a schedule; what is not chosen is as in Vixie cron. */
export function dstRule({ dst }: Pick<Schedule, 'dst'>): DstRule {
  if (dst === undefined) return DEFAULT_DST
  return { gap: GAPS[dst.gap] ?? DEFAULT_DST.gap, fold: FOLDS[dst.fold] ?? DEFAULT_DST.fold }
}

const GAPS: Readonly<Record<number, DstRule['gap']>> = {
  [DstPolicy_Gap.RUN_AFTER]: 'run_after',
  [DstPolicy_Gap.SKIP]: 'skip',
  [DstPolicy_Gap.SHIFT]: 'shift',
}

const FOLDS: Readonly<Record<number, DstRule['fold']>> = {
  [DstPolicy_Fold.FIRST]: 'first',
  [DstPolicy_Fold.LAST]: 'last',
  [DstPolicy_Fold.BOTH]: 'both',
}

/** The rules of a text with its hashes picked; none of a text that cannot be read. */
function cachedRules(text: string, seed: string): readonly ReadyRule[] {
  const key = /H/i.test(text) ? `${text}\n${seed}` : text
  return texts.get(key, () => {
    const reading = readRules(text)
    if (reading.kind === 'problem') return []
    return reading.rules.map((rule) =>
      rule.kind === 'cron' ? { kind: 'wall', wall: compileCron(rule, seed) } : rule,
    )
  })
}

function openZone(name: string): ZoneOffsets | 'none' {
  return isTimeZone(name) ? new ZoneOffsets(name) : 'none'
}

/**
 * The times of a cron expression: the guard around cron-parser, which accepts blank and four-field expressions, knows no
 * @every, and gives other times when a walk begins inside a repeated hour. Here it only walks wall-clock times, over
 * expressions written out as plain numbers; wall-clock.ts makes instants of them.
 *
 * C1. What checkCron accepts never throws and never hangs, for any seed, zone and time.
 * C2. The cache changes how long an answer takes, never the answer.
 */
import { createHash } from 'node:crypto'
import { type CronExpression, CronExpressionParser } from 'cron-parser'
import { nearNames } from '../../shared/near-names.ts'
import { type CronProblem, readCron } from './cron-expression.ts'
import { CRON_FIELD_RULES, type CronFieldValues, cronFieldValues } from './cron-field.ts'
import { nextInstant, type WallClockRule } from './wall-clock.ts'

export interface CronWalk {
  readonly expression: string
  /** IANA name; blank for UTC. */
  readonly timeZone: string
  readonly after: Date
  /** Picks the values of every `H`, always the same for one seed: the job's uid. */
  readonly seed: string
  /** Where `@every` counts from. Default: the Unix epoch. */
  readonly anchor?: Date
}

/** An expression made ready to be walked. */
type Rule =
  | { readonly kind: 'interval'; readonly everyMs: number }
  | ({ readonly kind: 'wall_clock' } & Omit<WallClockRule, 'timeZone'>)
  | { readonly kind: 'never' }

/** No due time is outside: the contract's timestamps hold the years 1 to 9999. */
const DUE_MS_MIN = Date.parse('0001-01-01T00:00:00Z')
const DUE_MS_MAX = Date.parse('9999-12-31T23:59:59Z')

/** Reading an expression takes a quarter of a millisecond, and a hundred thousand jobs share few of them. */
const RULES_MAX = 2_000
const rules = new Map<string, Rule>()

/** What is wrong with `expression`; undefined when it can be run. */
export function checkCron(expression: string): CronProblem | undefined {
  const reading = readCron(expression)
  return reading.kind === 'problem' ? reading.problem : undefined
}

/** The first due time strictly after `after`; undefined when there is none, or checkCron refuses the expression. */
export function nextCronTime(walk: CronWalk): Date | undefined {
  const rule = cachedRule(walk.expression, walk.seed)
  const after = new Date(Math.max(walk.after.getTime(), DUE_MS_MIN))
  if (rule.kind === 'never' || !(after.getTime() < DUE_MS_MAX)) return undefined
  const due =
    rule.kind === 'interval'
      ? nextInterval(rule.everyMs, walk.anchor ?? new Date(0), after)
      : nextInstant({ ...rule, timeZone: walk.timeZone || 'UTC' }, after)
  return due === undefined || due.getTime() > DUE_MS_MAX ? undefined : due
}

/** The first of anchor + everyMs, anchor + 2 everyMs, ... strictly after `after`. */
export function nextInterval(everyMs: number, anchor: Date, after: Date): Date {
  const count = Math.floor((after.getTime() - anchor.getTime()) / everyMs) + 1
  return new Date(anchor.getTime() + Math.max(1, count) * everyMs)
}

/** Names that may have been meant when `zone` is no time zone; undefined when it is one. Blank is UTC. */
export function checkTimeZone(zone: string): { readonly nearNames: string[] } | undefined {
  if (zone === '' || isTimeZone(zone)) return undefined
  const zones = Intl.supportedValuesOf('timeZone')
  const cities = new Map(zones.map((name) => [name.split('/').at(-1) ?? name, name]))
  const byCity = nearNames(zone.split('/').at(-1) ?? zone, cities.keys())
  const names = [...nearNames(zone, zones), ...byCity.map((city) => cities.get(city) ?? city)]
  return { nearNames: [...new Set(names)].slice(0, 3) }
}

function isTimeZone(zone: string): boolean {
  // Names only: offsets such as +01:00 know no daylight saving time, and whole times with a zone are taken too.
  if (!/^[A-Za-z][\w/+-]*$/.test(zone)) return false
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone).timeZoneId !== ''
  } catch {
    return false
  }
}

function cachedRule(expression: string, seed: string): Rule {
  const key = `${expression}\n${expression.includes('H') ? seed : ''}`
  const rule = rules.get(key) ?? makeRule(expression, seed)
  // The most recently used is the last; the first is the one to forget.
  rules.delete(key)
  rules.set(key, rule)
  const [oldest] = rules.keys()
  if (rules.size > RULES_MAX && oldest !== undefined) rules.delete(oldest)
  return rule
}

function makeRule(expression: string, seed: string): Rule {
  const reading = readCron(expression)
  if (reading.kind === 'problem') return { kind: 'never' }
  if (reading.kind === 'interval') return reading
  const fields = CRON_FIELD_RULES.flatMap((rule, index) => {
    const field = reading.fields[index]
    return field === undefined ? [] : [cronFieldValues(field, rule, seedFraction(seed, rule.name))]
  })
  return {
    kind: 'wall_clock',
    isEveryHour: fields[2]?.numbers.length === 24,
    nextWallMs: wallClockWalk(plainExpression(fields)),
  }
}

/** The same expression without names, steps, repeats and hashes: a form that cron-parser reads in one way only. */
function plainExpression(fields: readonly CronFieldValues[]): string {
  return fields
    .map(({ isWildcard, numbers, specials }) =>
      isWildcard ? '*' : [...numbers, ...specials].join(','),
    )
    .join(' ')
}

function wallClockWalk(plain: string): WallClockRule['nextWallMs'] {
  const cron = CronExpressionParser.parse(plain, { tz: 'UTC' })
  // The stretch that the last answer is good for: beside a recurrence that is due each second, one that is due every
  // forty years would be searched for each second.
  let fromMs = Infinity
  let nextMs: number | undefined
  return (afterWallMs) => {
    if (afterWallMs >= fromMs && afterWallMs < (nextMs ?? Infinity)) return nextMs
    cron.reset(new Date(afterWallMs))
    fromMs = afterWallMs
    nextMs = stepOrGiveUp(cron)
    return nextMs
  }
}

function stepOrGiveUp(cron: CronExpression): number | undefined {
  try {
    return cron.next().getTime()
  } catch {
    // Ten thousand steps without a match.
    return undefined
  }
}

/** In [0, 1), even over seeds; another one for each field. */
function seedFraction(seed: string, fieldName: string): number {
  return createHash('sha256').update(`${seed}/${fieldName}`).digest().readUInt32BE(0) / 2 ** 32
}

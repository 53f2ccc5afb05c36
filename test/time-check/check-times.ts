/** Compares the walk of the product with the reference, window by window: around changes of clocks and away from them. */
import { DstPolicy_Fold, DstPolicy_Gap, Schedule } from '../../proto/gen/rota/v1/job.ts'
import { compileSchedule } from '../../shared/schedule/next-due.ts'
import { Dice } from './dice.ts'
import { anyPattern, type KnownPattern } from './known-pattern.ts'
import { dueInstants, type Policies, type Range } from './reference.ts'
import { readWindow, type WallWindow } from './wall-window.ts'

export interface TimeCheck {
  readonly seed: number
  /** Cases to compare, at least: a pattern in a window under one pair of policies. */
  readonly cases: number
  /** Cases of one window; one pass over the zones takes a window of each. */
  readonly casesPerWindow: number
}

export interface TimeReport {
  readonly cases: number
  readonly windows: number
  readonly zones: number
  readonly dueTimes: number
  /** In words; empty when all is well. */
  readonly differences: readonly string[]
}

const HOUR = 3_600
const YEARS = { first: Date.UTC(1970, 0, 1) / 1_000, last: Date.UTC(2038, 0, 1) / 1_000 }
const DIFFERENCES_MAX = 20

const GAPS = [
  ['run_after', DstPolicy_Gap.RUN_AFTER],
  ['skip', DstPolicy_Gap.SKIP],
  ['shift', DstPolicy_Gap.SHIFT],
] as const
const FOLDS = [
  ['first', DstPolicy_Fold.FIRST],
  ['last', DstPolicy_Fold.LAST],
  ['both', DstPolicy_Fold.BOTH],
] as const

export function checkTimes(check: TimeCheck): TimeReport {
  const dice = new Dice(check.seed)
  const zones = changingZones()
  const differences: string[] = []
  const met = new Set<string>()
  let cases = 0
  let windows = 0
  let dueTimes = 0
  for (let index = dice.between(0, zones.length - 1); cases < check.cases; index++) {
    const zone = zones[index % zones.length] ?? 'UTC'
    const place = anyPlace(dice, zone, windows % 12 === 0)
    const window = readWindow(place)
    windows++
    met.add(zone)
    for (let count = 0; count < check.casesPerWindow; count++) {
      const { difference, length } = compare(dice, window, place)
      cases++
      dueTimes += length
      if (difference !== undefined && differences.length < DIFFERENCES_MAX)
        differences.push(difference)
    }
  }
  return { cases, windows, zones: met.size, dueTimes, differences }
}

/** Zones whose clocks change in the years that are looked at, aliases left out. */
export function changingZones(): string[] {
  const [first, last] = [YEARS.first, YEARS.last].map((at) =>
    Temporal.Instant.fromEpochMilliseconds(at * 1_000),
  )
  return Intl.supportedValuesOf('timeZone').filter((zone) => {
    const change = first?.toZonedDateTimeISO(zone).getTimeZoneTransition('next')
    return change && last && Temporal.Instant.compare(change.toInstant(), last) < 0
  })
}

interface Place {
  readonly zone: string
  readonly from: number
  readonly to: number
  readonly step: number
  /** What is compared; the window is wider by more than any change of a clock. */
  readonly compared: Range
  readonly hours: readonly number[]
  readonly date: { readonly year: number; readonly month: number; readonly day: number }
}

/** A few days of a zone, nearly always around a change of its clocks; by the second some hours around a small change. */
function anyPlace(dice: Dice, zone: string, isFine: boolean): Place {
  const at = dice.between(YEARS.first, YEARS.last - 400 * 24 * HOUR)
  const start = Temporal.Instant.fromEpochMilliseconds(at * 1_000).toZonedDateTimeISO(zone)
  const change =
    start.getTimeZoneTransition('next') ?? start.getTimeZoneTransition('previous') ?? start
  const before = change.subtract({ nanoseconds: 1 })
  const shift = Math.abs(change.offsetNanoseconds - before.offsetNanoseconds) / 1e9
  const middle = dice.chance(5) ? at : change.epochMilliseconds / 1_000
  const isOdd = [before, change].some((each) => (each.offsetNanoseconds / 1e9) % 60 !== 0)
  const step = isFine && shift <= 3 * HOUR ? 1 : isOdd ? 30 : 60
  const hours = step === 1 ? 2 : dice.chance(15) ? 30 : 13
  const around = { less: hours * HOUR, more: hours * HOUR + (step === 1 ? 0 : shift) }
  const margin = shift + HOUR
  const compared = {
    after: Math.floor(middle) - around.less,
    until: Math.floor(middle) + around.more,
  }
  return {
    zone,
    from: compared.after - margin,
    to: compared.until + margin,
    step,
    compared,
    hours: [before.hour, change.hour, (change.hour + 23) % 24],
    date: { year: before.year, month: before.month, day: before.day },
  }
}

function compare(
  dice: Dice,
  window: WallWindow,
  place: Place,
): { readonly difference: string | undefined; readonly length: number } {
  const pattern = anyPattern(dice, { ...place, hasSeconds: place.step === 1 })
  const [gapName, gap] = dice.oneOf(GAPS)
  const [foldName, fold] = dice.oneOf(FOLDS)
  const policies: Policies = { gap: gapName, fold: foldName }
  const after = dice.between(place.compared.after, place.compared.after + 20 * place.step)
  const range = { after, until: place.compared.until }
  const expected = dueInstants({ window, pattern, policies }, range)
  const schedule = Schedule.fromPartial({ timeZone: place.zone, dst: { gap, fold } })
  const found = walk(pattern, schedule, range)
  const isSame = found.length === expected.length && found.every((at, i) => at === expected[i])
  if (isSame) return { difference: undefined, length: expected.length }
  const what = `${JSON.stringify(pattern.text)} in ${place.zone}, gap ${gapName}, fold ${foldName}`
  return {
    difference: `${what}, after ${iso(after)}: ${firstDifference(found, expected)}`,
    length: expected.length,
  }
}

function walk(pattern: KnownPattern, policy: Schedule, range: Range): number[] {
  const recurrences = [{ kind: { $case: 'cron' as const, value: pattern.text }, compiled: '' }]
  const compiled = compileSchedule({ ...policy, recurrences }, { seed: '', anchor: new Date(0) })
  const found: number[] = []
  for (let at = range.after; ; ) {
    at = compiled.next(at * 1_000) / 1_000
    if (at > range.until) return found
    found.push(at)
  }
}

function firstDifference(found: readonly number[], expected: readonly number[]): string {
  const index = expected.findIndex((at, i) => at !== found[i])
  const at = index < 0 ? expected.length : index
  return `number ${at} is ${iso(found[at])}, should be ${iso(expected[at])}`
}

function iso(at: number | undefined): string {
  return at === undefined ? 'nothing' : new Date(at * 1_000).toISOString()
}

/** Cron expressions made together with what they mean, so that nothing has to be parsed to know it. */
import fc from 'fast-check'

export interface KnownCron {
  readonly text: string
  /** Minute or hour begins with `*`. */
  readonly isInterval: boolean
  /** True when the wall-clock minute is due. */
  matches(wall: Temporal.PlainDateTime): boolean
}

interface KnownField {
  readonly text: string
  readonly values: ReadonlySet<number>
}

function numbers(from: number, to: number, step = 1): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index).filter(
    (value) => (value - from) % step === 0,
  )
}

function anyField(min: number, max: number): fc.Arbitrary<KnownField> {
  const whole = fc.constant({ text: '*', values: numbers(min, max) })
  const value = fc.integer({ min, max }).map((at) => ({ text: `${at}`, values: [at] }))
  const range = fc
    .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 7 }))
    .map(([a, b, step]) => {
      const [from, to] = a < b ? [a, b] : [b, a]
      return { text: `${from}-${to}/${step}`, values: numbers(from, to, step) }
    })
  const stepped = fc.integer({ min: 1, max }).map((step) => ({
    text: `*/${step}`,
    values: numbers(min, max, step),
  }))
  const list = fc
    .array(fc.oneof(value, range, stepped), { minLength: 1, maxLength: 3 })
    .map((items) => ({
      text: items.map(({ text }) => text).join(','),
      isWildcard: false,
      values: items.flatMap(({ values }) => values),
    }))
  return fc
    .oneof({ weight: 2, arbitrary: whole }, value, list)
    .map((field) => ({ ...field, values: new Set(field.values) }))
}

/** Five fields, a list of each; some name days that never come. */
export function anyCron(): fc.Arbitrary<KnownCron> {
  return fc
    .tuple(anyField(0, 59), anyField(0, 23), anyField(1, 31), anyField(1, 12), anyField(0, 7))
    .map(([minute, hour, day, month, weekday]) => ({
      text: [minute, hour, day, month, weekday].map(({ text }) => text).join(' '),
      isInterval: [minute, hour].some(({ text }) => text.startsWith('*')),
      matches: (wall) =>
        minute.values.has(wall.minute) &&
        hour.values.has(wall.hour) &&
        month.values.has(wall.month) &&
        matchesDay(wall, day, weekday),
    }))
}

/** Vixie cron: both when one begins with `*`, else either. */
function matchesDay(wall: Temporal.PlainDateTime, day: KnownField, weekday: KnownField): boolean {
  const isDay = day.values.has(wall.day)
  const isWeekday =
    weekday.values.has(wall.dayOfWeek) || (wall.dayOfWeek === 7 && weekday.values.has(0))
  const isBoth = [day, weekday].some(({ text }) => text.startsWith('*'))
  return isBoth ? isDay && isWeekday : isDay || isWeekday
}

/** Numbers, days and lists as English says them. */

export const MONTH_NAMES = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const

export const WEEKDAY_NAMES = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const

export const ORDINAL_NAMES = ['first', 'second', 'third', 'fourth', 'fifth'] as const

/** `a, b and c`. */
export function joinWords(words: readonly string[], last = 'and'): string {
  if (words.length < 2) return words.join('')
  return `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`
}

/** `1st`, `22nd`, `13th`. */
export function ordinal(value: number): string {
  const isTeen = value % 100 >= 11 && value % 100 <= 13
  const suffix = isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][value % 10] ?? 'th')
  return `${value}${suffix}`
}

/** `5 minutes`, `1 minute`. */
export function countOf(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** Neighbours as ranges: `1 to 5 and 9`. `show` says one value. */
export function rangeWords(values: readonly number[], show: (value: number) => string): string {
  const runs: number[][] = []
  for (const value of values) {
    const run = runs.at(-1)
    if (run !== undefined && run.at(-1) === value - 1) run.push(value)
    else runs.push([value])
  }
  const words = runs.flatMap((run) => {
    const [first = 0, ...others] = run
    if (others.length < 2) return run.map(show)
    return [`${show(first)} to ${show(others.at(-1) ?? first)}`]
  })
  return joinWords(words)
}

/** `09:30`, `09:30:15`. */
export function clockTime(hour: number, minute: number, second = 0): string {
  const parts = second === 0 ? [hour, minute] : [hour, minute, second]
  return parts.map((part) => `${part}`.padStart(2, '0')).join(':')
}

/** Times of day as the time fields of cron: as few rules as say exactly these times. */
import type { TimeOfDay } from './phrase.ts'

/** The first three of six fields, or the first two of five. */
export function clockRules(times: readonly TimeOfDay[]): string[] {
  const sorted = [...new Set(times)].sort((a, b) => a - b)
  const hoursByInner = new Map<string, number[]>()
  for (const [hour, inner] of innerByHour(sorted)) {
    const key = innerText(inner)
    hoursByInner.set(key, [...(hoursByInner.get(key) ?? []), hour])
  }
  return [...hoursByInner].map(([inner, hours]) => `${inner} ${fieldText(hours, 24)}`)
}

function innerByHour(times: readonly TimeOfDay[]): Map<number, TimeOfDay[]> {
  const hours = new Map<number, TimeOfDay[]>()
  for (const time of times) {
    const hour = Math.floor(time / 3_600)
    hours.set(hour, [...(hours.get(hour) ?? []), time % 3_600])
  }
  return hours
}

/** Minutes, with seconds in front when there are any; within an hour the seconds are the same for each minute. */
function innerText(inner: readonly number[]): string {
  const minutes = [...new Set(inner.map((time) => Math.floor(time / 60)))]
  const seconds = [...new Set(inner.map((time) => time % 60))]
  const text = fieldText(minutes, 60)
  return seconds.length === 1 && seconds[0] === 0 ? text : `${fieldText(seconds, 60)} ${text}`
}

/** A star, a star with its step, `9-17`, `9-17/2` or a list. */
export function fieldText(values: readonly number[], size: number): string {
  const [first = 0, second] = values
  const last = values.at(-1) ?? first
  const step = (second ?? first) - first
  const isEven = values.every((value, index) => value === first + index * step)
  if (values.length < 3 || !isEven) return runs(values)
  const isWhole = first === 0 && last + step === size
  if (isWhole) return step === 1 ? '*' : `*/${step}`
  return step === 1 ? `${first}-${last}` : `${first}-${last}/${step}`
}

/** Neighbours as ranges: `0-6,22,23`. */
function runs(values: readonly number[]): string {
  const found: number[][] = []
  for (const value of values) {
    const run = found.at(-1)
    if (run !== undefined && run.at(-1) === value - 1) run.push(value)
    else found.push([value])
  }
  return found.map((run) => (run.length < 3 ? run.join(',') : `${run[0]}-${run.at(-1)}`)).join(',')
}

/** One field of a cron expression: what it may hold, and what is wrong with it. Values are cron-values.ts's business. */

export interface CronFieldRule {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Highest value that a bare `H` picks, where that is not `max`: each month has a 28th, and 7 is Sunday again. */
  readonly hashMax?: number
  /** Names of the values from `min` on, three letters each. */
  readonly words?: readonly string[]
}

export const MONTH_RULE: CronFieldRule = {
  name: 'month',
  min: 1,
  max: 12,
  words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
}
export const DAY_OF_MONTH_RULE: CronFieldRule = {
  name: 'day of month',
  min: 1,
  max: 31,
  hashMax: 28,
}
export const DAY_OF_WEEK_RULE: CronFieldRule = {
  name: 'day of week',
  min: 0,
  max: 7,
  hashMax: 6,
  words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
}

export const MINUTE_RULE: CronFieldRule = { name: 'minute', min: 0, max: 59 }
export const HOUR_RULE: CronFieldRule = { name: 'hour', min: 0, max: 23 }

/** In the order of a six-field expression. */
export const CRON_FIELD_RULES: readonly CronFieldRule[] = [
  { name: 'second', min: 0, max: 59 },
  MINUTE_RULE,
  HOUR_RULE,
  DAY_OF_MONTH_RULE,
  MONTH_RULE,
  DAY_OF_WEEK_RULE,
]

export type CronItem =
  | { readonly kind: 'range'; readonly from: number; readonly to: number; readonly step: number }
  /** The seed picks one value of the range; with a step, the first value of several. A step of 0 is none. */
  | { readonly kind: 'hashed'; readonly from: number; readonly to: number; readonly step: number }
  /** So many days before the last day of the month. */
  | { readonly kind: 'from_last'; readonly distance: number }
  /** The weekday (Monday to Friday) nearest to the day; without a day, the last one of the month. */
  | { readonly kind: 'near_weekday'; readonly day: number | undefined }
  /** The last Friday of the month, for example. */
  | { readonly kind: 'last_weekday'; readonly weekday: number }
  /** The second Friday, for example. */
  | { readonly kind: 'nth_weekday'; readonly weekday: number; readonly nth: number }

export interface CronField {
  readonly kind: 'field'
  readonly items: readonly CronItem[]
  /** Begins with `*` or `?`, whatever step follows: Vixie cron looks at that to combine days, and for daylight saving. */
  readonly isStar: boolean
}

export interface CronFieldProblem {
  readonly kind: 'problem'
  readonly message: string
  readonly hint?: string
  /** Where the wrong part begins within the field, from 0. */
  readonly offset: number
}

type ItemProblem = Omit<CronFieldProblem, 'offset'>

export function readCronField(text: string, rule: CronFieldRule): CronField | CronFieldProblem {
  const items: CronItem[] = []
  let offset = 0
  for (const part of text.split(',')) {
    const item = readItem(part, rule)
    if (item.kind === 'problem') return { ...item, offset }
    items.push(item)
    offset += part.length + 1
  }
  return { kind: 'field', items, isStar: /^[*?]/.test(text) }
}

function readItem(text: string, rule: CronFieldRule): CronItem | ItemProblem {
  if (text === '') return problem(`an empty value in the ${rule.name} field`)
  const near = /^(\d+|L)W$/i.exec(text)
  if (near !== null) return readNearWeekday(near[1] ?? '', rule)
  const last = /^([a-z]{3}|\d)?L(?:-(\d+))?$/i.exec(text)
  if (last !== null) return readLast({ weekday: last[1], distance: last[2] }, rule)
  const nth = /^(\w+)#(.*)$/.exec(text)
  if (nth !== null) return readNth(nth[1] ?? '', nth[2] ?? '', rule)
  return readSteps(text, rule)
}

function readNearWeekday(day: string, rule: CronFieldRule): CronItem | ItemProblem {
  if (rule !== DAY_OF_MONTH_RULE) {
    return problem(
      `W does not fit the ${rule.name} field`,
      'Write 15W as day of month for the weekday nearest to the 15th, LW for the last one.',
    )
  }
  if (day.toUpperCase() === 'L') return { kind: 'near_weekday', day: undefined }
  const value = readValue(day, rule)
  return typeof value === 'number' ? { kind: 'near_weekday', day: value } : value
}

interface LastText {
  readonly weekday: string | undefined
  readonly distance: string | undefined
}

function readLast({ weekday, distance }: LastText, rule: CronFieldRule): CronItem | ItemProblem {
  if (weekday === undefined && rule === DAY_OF_MONTH_RULE) return readFromLast(distance ?? '0')
  if (weekday === undefined || distance !== undefined || rule !== DAY_OF_WEEK_RULE) {
    return problem(
      `L does not fit the ${rule.name} field`,
      'Write L as day of month for its last day, 5L as day of week for the last Friday.',
    )
  }
  const day = readValue(weekday, rule)
  return typeof day === 'number' ? { kind: 'last_weekday', weekday: day % 7 } : day
}

function readFromLast(distance: string): CronItem | ItemProblem {
  if (Number(distance) <= 30) return { kind: 'from_last', distance: Number(distance) }
  return problem(`no month has a day ${distance} days before its last`, 'L-30 is the longest way.')
}

function readNth(weekday: string, nth: string, rule: CronFieldRule): CronItem | ItemProblem {
  if (rule !== DAY_OF_WEEK_RULE) {
    return problem(`# does not fit the ${rule.name} field`, 'The second Friday is 5#2.')
  }
  const day = readValue(weekday, rule)
  if (typeof day !== 'number') return day
  if (!/^[1-5]$/.test(nth)) return problem(`after # comes 1 to 5, not ${quote(nth)}`)
  return { kind: 'nth_weekday', weekday: day % 7, nth: Number(nth) }
}

function readSteps(text: string, rule: CronFieldRule): CronItem | ItemProblem {
  const [range = '', stepText, ...others] = text.split('/')
  if (others.length > 0) return problem(`${quote(text)} has more than one /`)
  const step = readStep(stepText, rule)
  if (typeof step === 'object') return step
  if (/^H/i.test(range)) return readHashed(range, step, rule)
  const bounds = readRange(range, rule)
  if ('kind' in bounds) return bounds
  // 5/15 begins at 5 and goes on to the end.
  const isOpen = stepText !== undefined && !range.includes('-')
  return { kind: 'range', from: bounds.from, to: isOpen ? rule.max : bounds.to, step: step || 1 }
}

/** 0 without a step. */
function readStep(text: string | undefined, rule: CronFieldRule): number | ItemProblem {
  if (text === undefined) return 0
  if (!/^\d{1,4}$/.test(text) || Number(text) === 0) {
    return problem(`the step ${quote(text)} is not a whole number from 1 on`)
  }
  if (Number(text) <= rule.max) return Number(text)
  return problem(
    `the step ${text} is larger than the ${rule.name} field, which ends at ${rule.max}`,
    'For other intervals use `every`.',
  )
}

type Bounds = { readonly from: number; readonly to: number }

function readHashed(text: string, step: number, rule: CronFieldRule): CronItem | ItemProblem {
  const whole = { from: rule.min, to: rule.hashMax ?? rule.max }
  const range = /^H\((.*)\)$/i.exec(text)?.[1]
  if (!/^H$/i.test(text) && range === undefined) {
    return problem(`${quote(text)} is not H, H/step or H(from-to)`)
  }
  const bounds = range === undefined ? whole : readRange(range, rule)
  if ('kind' in bounds) return bounds
  const size = bounds.to - bounds.from + 1
  return { kind: 'hashed', ...bounds, step: step > size ? 0 : step }
}

function readRange(text: string, rule: CronFieldRule): Bounds | ItemProblem {
  const isDay = rule === DAY_OF_MONTH_RULE || rule === DAY_OF_WEEK_RULE
  if (text === '*' || (text === '?' && isDay)) return { from: rule.min, to: rule.max }
  const [first = '', second, ...others] = text.split('-')
  if (others.length > 0) return problem(`${quote(text)} is not a range`)
  const from = readValue(first, rule)
  if (typeof from !== 'number') return from
  const to = second === undefined ? from : readValue(second, rule)
  if (typeof to !== 'number') return to
  // FRI-SUN: Sunday is also 7.
  const end = to === 0 && from > 0 && rule === DAY_OF_WEEK_RULE ? 7 : to
  if (from <= end) return { from, to: end }
  return problem(
    `the range ${text} runs backwards`,
    `Write it as ${first}-${rule.max},${rule.min}-${second}.`,
  )
}

function readValue(text: string, rule: CronFieldRule): number | ItemProblem {
  const word = rule.words?.indexOf(text.toLowerCase()) ?? -1
  if (word >= 0) return rule.min + word
  const range = `${rule.min} to ${rule.max}`
  if (!/^\d+$/.test(text)) {
    const words = rule.words === undefined ? '' : ` or ${rule.words[0]?.toUpperCase()} and so on`
    return problem(`${quote(text)} is not a ${rule.name}`, `Use ${range}${words}, or *.`)
  }
  const value = Number(text)
  if (value >= rule.min && value <= rule.max) return value
  return problem(`${quote(text)} is not in the range of the ${rule.name} field, ${range}`)
}

function problem(message: string, hint?: string): ItemProblem {
  return { kind: 'problem', message, ...(hint === undefined ? {} : { hint }) }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}

/** One field of a cron expression: what it may hold and how it is read. Text to values; time is cron.ts's business. */

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
const DAY_OF_WEEK_RULE: CronFieldRule = {
  name: 'day of week',
  min: 0,
  max: 7,
  hashMax: 6,
  words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
}

/** In the order of a six-field expression. */
export const CRON_FIELD_RULES: readonly CronFieldRule[] = [
  { name: 'second', min: 0, max: 59 },
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  DAY_OF_MONTH_RULE,
  MONTH_RULE,
  DAY_OF_WEEK_RULE,
]

type CronItem =
  | { readonly kind: 'range'; readonly from: number; readonly to: number; readonly step: number }
  /** The seed picks one value of the range; with a step, the first value of several. A step of 0 is none. */
  | { readonly kind: 'hashed'; readonly from: number; readonly to: number; readonly step: number }
  /** The last day of the month, or the last such weekday of the month. */
  | { readonly kind: 'last'; readonly weekday: number | undefined }
  /** The second Friday, for example. */
  | { readonly kind: 'nth'; readonly weekday: number; readonly nth: number }

export interface CronField {
  readonly kind: 'field'
  readonly items: readonly CronItem[]
  /** `*` or `?`, and nothing but these: leaves the choice of the day to the other day field. */
  readonly isWildcard: boolean
}

export interface CronFieldProblem {
  readonly kind: 'problem'
  readonly message: string
  readonly hint?: string
  /** Where the wrong part begins within the field, from 0. */
  readonly offset: number
}

type ItemProblem = Omit<CronFieldProblem, 'offset'>

/** Values of a field, once its hashes are resolved. */
export interface CronFieldValues {
  readonly isWildcard: boolean
  /** Ascending, without repeats; Sunday is 0. */
  readonly numbers: readonly number[]
  /** As cron-parser reads them: `L`, `5L`, `5#2`. */
  readonly specials: readonly string[]
}

export function readCronField(text: string, rule: CronFieldRule): CronField | CronFieldProblem {
  const items: CronItem[] = []
  let offset = 0
  for (const part of text.split(',')) {
    const item = readItem(part, rule)
    if (item.kind === 'problem') return { ...item, offset }
    items.push(item)
    offset += part.length + 1
  }
  if (items.length > 1 && items.some(({ kind }) => kind === 'nth')) {
    return { ...problem('# cannot stand in a list', 'Use one recurrence for each.'), offset: 0 }
  }
  return { kind: 'field', items, isWildcard: text === '*' || text === '?' }
}

/** `fraction` in [0, 1) resolves every `H` of the field. */
export function cronFieldValues(
  field: CronField,
  rule: CronFieldRule,
  fraction: number,
): CronFieldValues {
  const numbers = field.items.flatMap((item) => itemNumbers(item, fraction))
  const days = rule === DAY_OF_WEEK_RULE ? numbers.map((day) => day % 7) : numbers
  return {
    isWildcard: field.isWildcard,
    numbers: [...new Set(days)].sort((a, b) => a - b),
    specials: [...new Set(field.items.flatMap(itemSpecial))],
  }
}

function itemNumbers(item: CronItem, fraction: number): number[] {
  switch (item.kind) {
    case 'range':
      return stepped(item.from, item.to, item.step)
    case 'hashed': {
      const choices = item.step === 0 ? item.to - item.from + 1 : item.step
      const first = item.from + Math.floor(fraction * choices)
      return item.step === 0 ? [first] : stepped(first, item.to, item.step)
    }
    case 'last':
    case 'nth':
      return []
  }
}

function stepped(from: number, to: number, step: number): number[] {
  const count = Math.floor((to - from) / step) + 1
  return Array.from({ length: count }, (_, index) => from + index * step)
}

function itemSpecial(item: CronItem): string[] {
  if (item.kind === 'nth') return [`${item.weekday}#${item.nth}`]
  if (item.kind === 'last') return [item.weekday === undefined ? 'L' : `${item.weekday}L`]
  return []
}

function readItem(text: string, rule: CronFieldRule): CronItem | ItemProblem {
  if (text === '') return problem(`an empty value in the ${rule.name} field`)
  if (/^(\d+|l)w$/i.test(text)) {
    return problem('W (nearest weekday) is not supported', 'Name weekdays, e.g. MON-FRI.')
  }
  const last = /^([a-z]{3}|\d)?L$/i.exec(text)
  if (last !== null) return readLast(last[1], rule)
  const nth = /^(\w+)#(.*)$/.exec(text)
  if (nth !== null) return readNth(nth[1] ?? '', nth[2] ?? '', rule)
  return readSteps(text, rule)
}

function readLast(weekday: string | undefined, rule: CronFieldRule): CronItem | ItemProblem {
  if (weekday === undefined && rule === DAY_OF_MONTH_RULE) return { kind: 'last', weekday }
  if (weekday === undefined || rule !== DAY_OF_WEEK_RULE) {
    return problem(
      `L does not fit the ${rule.name} field`,
      'Write L as day of month for its last day, 5L as day of week for the last Friday.',
    )
  }
  const day = readValue(weekday, rule)
  return typeof day === 'number' ? { kind: 'last', weekday: day % 7 } : day
}

function readNth(weekday: string, nth: string, rule: CronFieldRule): CronItem | ItemProblem {
  if (rule !== DAY_OF_WEEK_RULE) {
    return problem(`# does not fit the ${rule.name} field`, 'The second Friday is 5#2.')
  }
  const day = readValue(weekday, rule)
  if (typeof day !== 'number') return day
  if (!/^[1-5]$/.test(nth)) return problem(`after # comes 1 to 5, not ${quote(nth)}`)
  return { kind: 'nth', weekday: day % 7, nth: Number(nth) }
}

function readSteps(text: string, rule: CronFieldRule): CronItem | ItemProblem {
  const [range = '', stepText, ...others] = text.split('/')
  if (others.length > 0) return problem(`${quote(text)} has more than one /`)
  const step = readStep(stepText, rule)
  if (typeof step === 'object') return step
  if (range.startsWith('H')) return readHashed(range, step, rule)
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
  const range = /^H\((.*)\)$/.exec(text)?.[1]
  if (text !== 'H' && range === undefined) {
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

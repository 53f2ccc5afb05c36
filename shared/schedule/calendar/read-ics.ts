/** An iCalendar file (RFC 5545) as days: its events, all-day or timed, once or repeated. Everything else is passed over. */
import { DaySpan } from '../../../proto/gen/rota/v1/calendar.ts'
import { formatDay } from '../describe/day-text.ts'
import { type IcsEvent, readEvent } from './ics-event.ts'
import { type ContentLine, type IcsProblem, icsProblem, quote, readLines } from './ics-lines.ts'
import type { Effort } from './repeat-rule.ts'
import { EFFORT_DAYS, REPEATS_MAX, SPANS_MAX } from './settle-days.ts'

export type IcsReading =
  | { readonly kind: 'days'; readonly spans: readonly DaySpan[]; readonly eventCount: number }
  | IcsProblem

/** An alarm within an event within a calendar is three. */
const DEPTH_MAX = 10

/** Reads a file; what it cannot hold to is a problem with its line. Never throws. */
export function readIcs(text: string): IcsReading {
  const lines = readLines(text)
  if ('kind' in lines) return lines
  const events = readEvents(lines)
  if ('kind' in events) return events
  const spans = toSpans(events)
  const repeats = spans.filter(({ repeat }) => repeat !== '').length
  const end = lines.at(-1)?.number ?? 1
  if (spans.length > SPANS_MAX) return icsProblem(end, `there are more than ${SPANS_MAX} events`)
  if (repeats > REPEATS_MAX) {
    return icsProblem(end, `there are more than ${REPEATS_MAX} events that repeat`)
  }
  return { kind: 'days', spans, eventCount: events.length }
}

interface Component {
  readonly name: string
  readonly number: number
  readonly lines: ContentLine[]
}

function readEvents(lines: readonly ContentLine[]): readonly IcsEvent[] | IcsProblem {
  const [head] = lines
  if (head?.name !== 'BEGIN' || head.value.trim().toUpperCase() !== 'VCALENDAR') {
    return icsProblem(head?.number ?? 1, 'the file does not begin with BEGIN:VCALENDAR')
  }
  const effort: Effort = { days: EFFORT_DAYS }
  const events: IcsEvent[] = []
  const open: Component[] = []
  for (const line of lines) {
    const name = line.value.trim().toUpperCase()
    if (line.name === 'BEGIN') {
      if (open.length === DEPTH_MAX) return icsProblem(line.number, 'is nested too deep')
      open.push({ name, number: line.number, lines: [] })
      continue
    }
    if (line.name !== 'END') {
      open.at(-1)?.lines.push(line)
      continue
    }
    const component = open.pop()
    if (component?.name !== name) return icsProblem(line.number, unexpectedEnd(name, component))
    if (name !== 'VEVENT') continue
    const event = readEvent(component.lines, component.number, effort)
    if (event.kind === 'problem') return event
    events.push(event)
    if (events.length > SPANS_MAX) {
      return icsProblem(line.number, `there are more than ${SPANS_MAX} events`)
    }
  }
  const [unclosed] = open
  if (unclosed === undefined) return events
  return icsProblem(unclosed.number, `BEGIN:${unclosed.name} has no END`)
}

function unexpectedEnd(name: string, open: Component | undefined): string {
  if (open === undefined) return `END ${quote(name)} has no BEGIN`
  return `END ${quote(name)} comes where ${open.name} of line ${open.number} is open`
}

/** Repetitions that were moved or cancelled leave the rule that they are of. */
function toSpans(events: readonly IcsEvent[]): DaySpan[] {
  const moved = new Map<string, number[]>()
  for (const { uid, standsFor } of events) {
    if (standsFor !== undefined) moved.set(uid, [...(moved.get(uid) ?? []), standsFor])
  }
  return events
    .filter(({ isCancelled }) => !isCancelled)
    .flatMap((event) => {
      const { first, last, repeat, summary, also, uid, standsFor } = event
      const gone = standsFor === undefined ? (moved.get(uid) ?? []) : []
      const except = [...new Set([...event.except, ...gone])].map(formatDay).sort()
      const span = (day: number, rest: Partial<DaySpan>): DaySpan =>
        DaySpan.fromPartial({
          first: formatDay(day),
          last: last > first ? formatDay(day + last - first) : '',
          summary,
          ...rest,
        })
      return [span(first, { repeat, except }), ...also.map((day) => span(day, {}))]
    })
}

/** Filters of the stream, decided in memory: many watchers share one reading of the events. Pure. */
import { FINAL_STATES, LIVE_STATES } from '../job/execution.ts'
import type { Comparison, Fields, Filter } from '../query/filter.ts'
import { CHANGES } from './event.ts'
import type { EventRow } from './read-event-queries.ts'

const STATES = [
  ...LIVE_STATES,
  ...FINAL_STATES,
  ...['active', 'paused', 'completed', 'deleted'],
  ...['cordoned', 'draining', 'drained'],
]

export const EVENT_FIELDS: Fields = {
  /** `jobs/backup`, `executions/UUID`, `workers/worker-3`. */
  resource: 'text',
  type: { oneOf: ['JOB', 'EXECUTION', 'WORKER'] },
  /** Of jobs their own name, of executions that of their job. */
  job: 'text',
  /** Of workers their own name, of executions that of the worker that has them. */
  worker: 'text',
  state: { oneOf: STATES.map((state) => state.toUpperCase()) },
  change: { oneOf: CHANGES.map((change) => change.toUpperCase()) },
}

/** `executions/0198c5d2-...` */
export function resourceOf({ type, job, execution_id, worker }: EventRow): string {
  switch (type) {
    case 'job':
      return `jobs/${job ?? ''}`
    case 'execution':
      return `executions/${execution_id ?? ''}`
    case 'worker':
      return `workers/${worker}`
  }
}

export function isWanted(filter: Filter | undefined, event: EventRow): boolean {
  if (filter === undefined) return true
  switch (filter.kind) {
    case 'term':
      return compare(filter.term, fieldOf(event, filter.term.field))
    case 'not':
      return !isWanted(filter.item, event)
    case 'and':
      return filter.items.every((item) => isWanted(item, event))
    case 'or':
      return filter.items.some((item) => isWanted(item, event))
  }
}

function fieldOf(event: EventRow, field: string): string {
  switch (field) {
    case 'resource':
      return resourceOf(event)
    case 'job':
      return event.job ?? ''
    case 'worker':
      return event.worker
    case 'type':
    case 'state':
    case 'change':
      return event[field]
    default:
      throw new Error(`events have no field ${field}`)
  }
}

function compare(term: Comparison, value: string): boolean {
  if (term.type !== 'text' && term.type !== 'oneOf') {
    throw new Error(`no field of events is compared as ${term.type}`)
  }
  const wanted = term.type === 'oneOf' ? term.value.toLowerCase() : term.value
  switch (term.operator) {
    case '=':
      return value === wanted
    case '!=':
      return value !== wanted
    case ':':
      return value.toLowerCase().includes(wanted.toLowerCase())
  }
}

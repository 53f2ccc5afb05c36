import { describe, expect, test } from 'vitest'
import { EVENT_FIELDS, isWanted } from '../../../../coordinator/events/event-filter.ts'
import type { EventRow } from '../../../../coordinator/events/read-event-queries.ts'
import type { ExecutionId, JobId } from '../../../../coordinator/job/execution.ts'
import { parseFilter } from '../../../../coordinator/query/filter.ts'

const ID = '0198c5d2-7a1b-7000-8000-00000000beef' as ExecutionId
const row = { transaction_id: '1', id: 1, place: null, happened_at: new Date(0) }
const execution: EventRow = {
  ...row,
  type: 'execution',
  change: 'retried',
  state: 'backoff',
  job_id: 1 as JobId,
  job: 'backup',
  execution_id: ID,
  worker: 'worker-3',
}
const job: EventRow = {
  ...execution,
  type: 'job',
  change: 'paused',
  state: 'paused',
  execution_id: null,
  worker: '',
}
const worker: EventRow = {
  ...job,
  type: 'worker',
  change: 'lost',
  state: 'active',
  job_id: null,
  job: null,
  worker: 'worker-3',
}

/** Which of the three events the filter wants. */
function wanted(text: string): string[] {
  const reading = parseFilter(text, EVENT_FIELDS)
  if (reading.kind === 'error') throw new Error(reading.message)
  return [job, execution, worker]
    .filter((event) => isWanted(reading.filter, event))
    .map(({ type }) => type)
}

describe('a filter of events', () => {
  test.each([
    ['', ['job', 'execution', 'worker']],
    ['resource = "jobs/backup"', ['job']],
    [`resource = "executions/${ID}"`, ['execution']],
    ['resource = "workers/worker-3"', ['worker']],
    ['resource:BACK', ['job']],
    ['type = EXECUTION', ['execution']],
    ['type = worker', ['worker']],
    ['type != JOB', ['execution', 'worker']],
    ['job = backup', ['job', 'execution']],
    ['job = BACKUP', []],
    ['worker = worker-3', ['execution', 'worker']],
    ['state = BACKOFF', ['execution']],
    ['change = lost', ['worker']],
    ['NOT change = lost', ['job', 'execution']],
    ['job = backup AND type = JOB', ['job']],
    ['type = JOB OR change = RETRIED', ['job', 'execution']],
    ['(type = JOB OR type = WORKER) AND NOT state = PAUSED', ['worker']],
  ])('%s', (text, types) => {
    expect(wanted(text)).toEqual(types)
  })

  test.each(['name = x', 'type = ROW', 'state > FAILED', 'change:los'])('%s is none', (text) => {
    expect(parseFilter(text, EVENT_FIELDS).kind).toBe('error')
  })
})

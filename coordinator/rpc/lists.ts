/** What each list can be filtered and sorted by. */

import { CALENDAR_COLUMNS } from '../calendar/calendar-queries.ts'
import { FREEZE_COLUMNS } from '../freeze/freeze-queries.ts'
import { FINAL_STATES, LIVE_STATES } from '../job/execution.ts'
import { EXECUTION_COLUMNS } from '../query/execution-queries.ts'
import { WORKER_COLUMNS } from '../query/fleet-queries.ts'
import { JOB_COLUMNS } from '../query/job-queries.ts'
import type { ListDefinition } from '../query/keyset-queries.ts'
import { OCCURRENCE_COLUMNS } from '../query/occurrence-queries.ts'

export const JOB_LIST: ListDefinition<typeof JOB_COLUMNS> = {
  columns: JOB_COLUMNS,
  fields: {
    name: 'text',
    state: { oneOf: ['ACTIVE', 'PAUSED', 'COMPLETED', 'DELETED'] },
    display_name: 'text',
    create_time: 'time',
    update_time: 'time',
    next_fire_time: 'time',
    labels: 'labels',
    tags: 'set',
  },
  sortable: ['name', 'state', 'display_name', 'create_time', 'update_time', 'next_fire_time'],
  order: [{ field: 'name', isDescending: false }],
}

export const EXECUTION_LIST: ListDefinition<typeof EXECUTION_COLUMNS> = {
  columns: EXECUTION_COLUMNS,
  fields: {
    name: 'text',
    job: 'text',
    state: { oneOf: [...LIVE_STATES, ...FINAL_STATES].map((state) => state.toUpperCase()) },
    trigger: {
      oneOf: ['SCHEDULE', 'MANUAL', 'DEPENDENCY', 'WORKFLOW', 'CATCH_UP', 'BACKFILL', 'REPLAY'],
    },
    priority: 'number',
    worker: 'text',
    create_time: 'time',
    start_time: 'time',
    end_time: 'time',
    scheduled_for: 'time',
  },
  sortable: ['name', 'job', 'state', 'trigger', 'priority', 'create_time'],
  order: [
    { field: 'create_time', isDescending: true },
    { field: 'name', isDescending: true },
  ],
}

export const WORKER_LIST: ListDefinition<typeof WORKER_COLUMNS> = {
  columns: WORKER_COLUMNS,
  fields: {
    name: 'text',
    state: { oneOf: ['ACTIVE', 'CORDONED', 'DRAINING', 'DRAINED'] },
    hostname: 'text',
    platform: 'text',
    agent_version: 'text',
    slot_count: 'number',
    consecutive_failures: 'number',
    connect_time: 'time',
    capabilities: 'set',
    handlers: 'set',
    labels: 'labels',
  },
  sortable: ['name', 'state', 'hostname', 'slot_count', 'consecutive_failures', 'connect_time'],
  order: [{ field: 'name', isDescending: false }],
}

export const CALENDAR_LIST: ListDefinition<typeof CALENDAR_COLUMNS> = {
  columns: CALENDAR_COLUMNS,
  fields: { name: 'text', display_name: 'text', create_time: 'time', update_time: 'time' },
  sortable: ['name', 'display_name', 'create_time', 'update_time'],
  order: [{ field: 'name', isDescending: false }],
}

export const FREEZE_LIST: ListDefinition<typeof FREEZE_COLUMNS> = {
  columns: FREEZE_COLUMNS,
  fields: {
    name: 'text',
    state: { oneOf: ['PENDING', 'ACTIVE', 'ENDING', 'ENDED'] },
    owner: 'text',
    start_time: 'time',
    end_time: 'time',
  },
  sortable: ['name', 'owner', 'start_time', 'end_time'],
  order: [
    { field: 'end_time', isDescending: true },
    { field: 'name', isDescending: false },
  ],
}

export const OCCURRENCE_LIST: ListDefinition<typeof OCCURRENCE_COLUMNS> = {
  columns: OCCURRENCE_COLUMNS,
  fields: {
    job: 'text',
    scheduled_for: 'time',
    decide_time: 'time',
    decision: {
      oneOf: [
        'ENQUEUED',
        'SKIPPED_OVERLAP',
        'SKIPPED_CALENDAR',
        'SKIPPED_PAUSED',
        'SKIPPED_FREEZE',
        'SKIPPED_REQUESTED',
        'MISSED',
        'COALESCED',
      ],
    },
  },
  sortable: ['job', 'scheduled_for'],
  order: [
    { field: 'scheduled_for', isDescending: true },
    { field: 'job', isDescending: false },
  ],
}

/** Filtered as jobs are; a position is a time, a job, and the window that the first page had. */
export const UPCOMING_LIST: ListDefinition<typeof JOB_COLUMNS> = {
  columns: JOB_COLUMNS,
  fields: JOB_LIST.fields,
  sortable: [],
  order: ['schedule_time', 'job', 'start_time', 'end_time'].map((field) => {
    return { field, isDescending: false }
  }),
}

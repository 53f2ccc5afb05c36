import type { UntypedServiceImplementation } from '@grpc/grpc-js'
import { Calendar } from '../../proto/gen/rota/v1/calendar.ts'
import * as api from '../../proto/gen/rota/v1/calendar_service.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { parseResourceName, resourceName } from '../../shared/wire.ts'
import { type CalendarRow, listCalendars } from '../calendar/calendar-queries.ts'
import {
  calendarEtag,
  createCalendar,
  deleteCalendar,
  requireCalendar,
  toDefinition,
  updateCalendar,
} from '../calendar/define-calendar.ts'
import { importCalendar } from '../calendar/import-calendar.ts'
import { calendarId } from '../calendar/known-calendars.ts'
import { requestKey } from '../definition/request-key.ts'
import type { Deps } from '../deps.ts'
import { principalName } from '../identity/principal.ts'
import { finishPage, readPage } from '../query/keyset-queries.ts'
import { CALENDAR_LIST } from './lists.ts'
import { required } from './required.ts'
import { type Caller, complete, unary } from './serve.ts'
import type { ServiceDeps } from './service-deps.ts'

export function createCalendarService(deps: ServiceDeps): UntypedServiceImplementation {
  const { boundary } = deps
  const serve = <Q, R>(method: string, handler: (request: Q, caller: Caller) => Promise<R>) =>
    unary(deps, `CalendarService/${method}`, handler)
  return complete(boundary, api.CalendarServiceService, {
    listCalendars: serve('ListCalendars', async (request: api.ListCalendarsRequest) =>
      list(deps, request),
    ),
    getCalendar: serve('GetCalendar', async ({ name }: api.GetCalendarRequest) => ({
      calendar: toCalendar(await requireCalendar(deps.db, idOf(name))),
    })),
    createCalendar: serve('CreateCalendar', async (request: api.CreateCalendarRequest, caller) =>
      create(deps, request, caller),
    ),
    updateCalendar: serve('UpdateCalendar', async (request: api.UpdateCalendarRequest) =>
      update(deps, request),
    ),
    deleteCalendar: serve('DeleteCalendar', async (request: api.DeleteCalendarRequest) =>
      remove(deps, request),
    ),
    importCalendar: serve('ImportCalendar', async (request: api.ImportCalendarRequest) => {
      const { ics, keep, validateOnly } = request
      if (ics.trim() === '') throw required('ics')
      const imported = await importCalendar(deps, {
        ...{ ics, keep, validateOnly, id: idOf(request.name) },
      })
      return { calendar: toCalendar(imported.row), eventCount: imported.eventCount }
    }),
  })
}

function idOf(name: string, field = 'name'): string {
  return parseResourceName('calendars', name, field)
}

async function list(
  deps: Deps,
  request: api.ListCalendarsRequest,
): Promise<api.ListCalendarsResponse> {
  const page = readPage(CALENDAR_LIST, request, {})
  const { rows, total } = await listCalendars(deps.db, page)
  const { rows: shown, nextPageToken } = finishPage(page, rows.map(toCalendar), {
    request,
    args: {},
    keys: (calendar) => page.order.map(({ field }) => calendarKey(calendar, field)),
  })
  return { calendars: shown, nextPageToken, totalSize: total }
}

function calendarKey(calendar: Calendar, field: string): string {
  switch (field) {
    case 'display_name':
      return calendar.displayName
    case 'create_time':
      return calendar.createTime?.toISOString() ?? ''
    case 'update_time':
      return calendar.updateTime?.toISOString() ?? ''
    default:
      return calendarId(calendar.name)
  }
}

async function create(
  deps: Deps,
  request: api.CreateCalendarRequest,
  { principal }: Caller,
): Promise<api.CreateCalendarResponse> {
  const { calendar, requestId, validateOnly } = request
  if (calendar === undefined) throw required('calendar')
  const id = request.calendarId || calendarId(calendar.name)
  if (id === '') throw required('calendar_id')
  const encoded = api.CreateCalendarRequest.encode(request).finish()
  const row = await createCalendar(deps, {
    ...{ id, calendar, validateOnly },
    request: requestKey(principalName(principal), 'CreateCalendar', { requestId, encoded }),
  })
  return { calendar: toCalendar(row) }
}

async function update(
  deps: Deps,
  request: api.UpdateCalendarRequest,
): Promise<api.UpdateCalendarResponse> {
  const { calendar, updateMask: mask, validateOnly } = request
  if (calendar === undefined) throw required('calendar')
  const id = idOf(calendar.name, 'calendar.name')
  return { calendar: toCalendar(await updateCalendar(deps, { id, calendar, mask, validateOnly })) }
}

async function remove(
  deps: Deps,
  { name, etag, allowMissing }: api.DeleteCalendarRequest,
): Promise<api.DeleteCalendarResponse> {
  try {
    await deleteCalendar(deps, { id: idOf(name), etag })
  } catch (error) {
    const isMissing = error instanceof RotaError && error.reason === 'CALENDAR_NOT_FOUND'
    if (!isMissing || !allowMissing) throw error
  }
  return {}
}

function toCalendar(row: CalendarRow): Calendar {
  return Calendar.fromPartial({
    ...toDefinition(row),
    name: resourceName('calendars', row.name),
    jobCount: row.job_count,
    createTime: row.created_at,
    updateTime: row.updated_at,
    etag: calendarEtag(row),
  })
}

/** Did a due time run, and if not, why: of one instant of one job. */
import { ExecutionState } from '../../proto/gen/rota/v1/execution.ts'
import { Schedule } from '../../proto/gen/rota/v1/job.ts'
import * as api from '../../proto/gen/rota/v1/job_service.ts'
import { checkTime, show, violation } from '../../shared/errors/check-field.ts'
import { invalidRequest, refuseViolations } from '../../shared/errors/rota-error.ts'
import { lastInstantsOf, parseWallTime } from '../../shared/schedule/zone/wall-time.ts'
import { enumFromWord, parseResourceName, resourceName } from '../../shared/wire.ts'
import { databaseNow } from '../definition/definition-queries.ts'
import { requireJob } from '../definition/find-job.ts'
import type { Deps } from '../deps.ts'
import { explainOccurrence, type OccurrenceExplanation } from '../outlook/explain-occurrence.ts'
import {
  type LedgerEntry,
  readLedgerEntry,
  readSwitchesAround,
  readVersionAt,
  type VersionAt,
} from '../outlook/occurrence-facts-queries.ts'
import type { JobRow } from '../query/job-queries.ts'
import { readPartitions } from '../retention/partition-queries.ts'

export async function explainDueTime(
  deps: Deps,
  request: api.ExplainOccurrenceRequest,
): Promise<api.ExplainOccurrenceResponse> {
  const job = await requireJob(deps.db, parseResourceName('jobs', request.job, 'job'))
  const now = await databaseNow(deps.db)
  const explained = await Promise.all(
    readInstants(request, job, now).map(async (at) => explainAt(deps, { job, at, now })),
  )
  // In a fold or a gap the one that was due is meant.
  const best = explained.find(({ entry }) => entry !== undefined) ?? explained.find(isAboutDue)
  const [first] = explained
  if (first === undefined) throw new Error('a local time without an instant')
  return toResponse(job, best ?? first)
}

interface Explained {
  readonly at: Date
  readonly entry: LedgerEntry | undefined
  readonly version: VersionAt | undefined
  readonly explanation: OccurrenceExplanation
}

function isAboutDue({ explanation }: Explained): boolean {
  return explanation.verdict !== 'not_due'
}

async function explainAt(
  { db }: Deps,
  { job, at, now }: { readonly job: JobRow; readonly at: Date; readonly now: Date },
): Promise<Explained> {
  const [entry, version, switches, keptSince] = await Promise.all([
    readLedgerEntry(db, job.id, at),
    readVersionAt(db, job.id, at),
    readSwitchesAround(db, job.id, at),
    readKeptSince(db),
  ])
  const facts = { at, now, job, entry, version, switches, keptSince }
  return { at, entry, version, explanation: explainOccurrence(facts) }
}

/** The first day of which the ledger has a partition: those before were dropped, or are of before the first start. */
async function readKeptSince(db: Deps['db']): Promise<Date | undefined> {
  const days = (await readPartitions(db, 'occurrence')).flatMap(
    (name) => /_(\d{4})(\d\d)(\d\d)$/.exec(name)?.slice(1).join('-') ?? [],
  )
  const [oldest] = days.sort()
  return oldest === undefined ? undefined : new Date(`${oldest}T00:00:00Z`)
}

/** One, or in a fold or a gap two. */
function readInstants(
  { time, localTime }: api.ExplainOccurrenceRequest,
  { spec }: JobRow,
  now: Date,
): Date[] {
  if ((time === undefined) === (localTime === '')) {
    const message = time === undefined ? 'is missing' : 'cannot stand beside local_time'
    const hint = 'Give either time or local_time.'
    throw invalidRequest([violation('time', { reason: 'FIELD_REQUIRED', message, hint })])
  }
  if (time !== undefined) {
    refuseViolations(checkTime('time', time))
    return [time]
  }
  const wall = parseWallTime(localTime)
  const zone = spec['schedule'] === undefined ? '' : Schedule.fromJSON(spec['schedule']).timeZone
  const nowS = now.getTime() / 1_000
  const instants = wall === undefined ? [] : lastInstantsOf(zone || 'UTC', wall, nowS)
  if (instants.length > 0) return instants.map((instant) => new Date(instant * 1_000))
  const hint = 'Write it like 02:00, 02:00:30 or 2026-11-20 02:00.'
  throw invalidRequest([
    violation('local_time', { message: `${show(localTime)} is no local time`, hint }),
  ])
}

function toResponse(job: JobRow, explained: Explained): api.ExplainOccurrenceResponse {
  const { at, entry, explanation, version } = explained
  const code = entry?.reason_code ?? ''
  return api.ExplainOccurrenceResponse.fromPartial({
    verdict: enumFromWord(api.ExplainOccurrenceResponse_Verdict, explanation.verdict),
    message: explanation.message,
    occurrence: entry && {
      job: resourceName('jobs', job.name),
      scheduledFor: entry.scheduled_for,
      decideTime: entry.decided_at,
      decision: enumFromWord(api.Occurrence_Decision, entry.decision),
      reason: entry.reason,
      execution: entry.execution_id === null ? '' : resourceName('executions', entry.execution_id),
      executionState: stateOf(entry),
    },
    executionState: stateOf(entry),
    executionReason:
      code === '' ? undefined : { code, message: entry?.reason_message ?? '', details: {} },
    executionEndTime: entry?.settled_at ?? undefined,
    version: version?.version ?? 0,
    versionCreateTime: version?.created_at,
    previousTime: explanation.previous,
    nextTime: explanation.next,
    time: at,
  })
}

function stateOf(entry: LedgerEntry | undefined): ExecutionState {
  const state = entry?.state ?? null
  return state === null ? ExecutionState.UNSPECIFIED : enumFromWord(ExecutionState, state)
}

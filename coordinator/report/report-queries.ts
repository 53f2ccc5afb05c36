import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId } from '../job/execution.ts'
import { MOVES } from '../job/transitions.ts'
import { isReported } from '../store/by-id.ts'
import type { Db } from '../store/database.ts'

export interface AttemptRef {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
}

/** What a session says of an attempt. */
export interface SessionRef extends AttemptRef {
  readonly sessionId: SessionId
}

/** An attempt of a session: two sessions may speak of one execution, and one of them only has it. */
export type RefKey = `${SessionId}/${ExecutionId}`

export function refKey(ref: Pick<SessionRef, 'executionId' | 'sessionId'>): RefKey {
  return `${ref.sessionId}/${ref.executionId}`
}

interface MovedRow {
  readonly executionId: ExecutionId
  readonly sessionId: SessionId
}

const MOVED_ROW = sql`e.id as "executionId", e.session_id as "sessionId"`

/**
 * Of these sessions the ones that live, in the order of their ids. Their leases cannot be ended before the transaction is
 * over, so nobody else ends what they have in hand.
 */
export async function holdReporting(
  db: Db,
  sessionIds: readonly SessionId[],
): Promise<ReadonlySet<SessionId>> {
  const { rows } = await sql<{ id: SessionId }>`/* holdReporting */
    select id from rota.session where id = any (${sessionIds}::uuid[])
    order by id
    for key share`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Notes that agents have journaled these assignments; answers the ones that are their own and current. */
export async function recordAccepted(
  db: Db,
  accepted: readonly SessionRef[],
): Promise<ReadonlySet<RefKey>> {
  const { rows } = await sql<MovedRow>`/* recordAccepted */
    update rota.execution e set accepted_at = coalesce(e.accepted_at, clock_timestamp())
    from unnest(${accepted.map((ref) => ref.executionId)}::uuid[], ${accepted.map((ref) => ref.epoch)}::bigint[],
      ${accepted.map((ref) => ref.sessionId)}::uuid[]) as r (id, epoch, session_id)
    where ${isReported}
    returning ${MOVED_ROW}`.execute(db)
  return new Set(rows.map(refKey))
}

/** Move `start`; answers the ones that are their own and current, also those that had started before. */
export async function recordStarted(
  db: Db,
  started: readonly SessionRef[],
): Promise<ReadonlySet<RefKey>> {
  const { rows } = await sql<MovedRow>`/* recordStarted */
    with r (id, epoch, session_id) as (
      select * from unnest(${started.map((ref) => ref.executionId)}::uuid[], ${started.map((ref) => ref.epoch)}::bigint[],
      ${started.map((ref) => ref.sessionId)}::uuid[])
    ), moved as (
      update rota.execution e
      set state = 'running', started_at = clock_timestamp(), accepted_at = coalesce(e.accepted_at, clock_timestamp())
      from r
      where ${isReported}
        and e.state = any (${[...MOVES.start.from]}::text[])
      returning ${MOVED}, e.session_id
    ), told as (${tellMoved('started')})
    select ${MOVED_ROW} from moved e
    union all
    select ${MOVED_ROW} from rota.execution e join r on ${isReported}
    where e.state = 'running'`.execute(db)
  return new Set(rows.map(refKey))
}

/** Notes how far running attempts are, 0 to 1; answers the ones that are their own and current. */
export async function recordProgress(
  db: Db,
  progressed: readonly (SessionRef & { readonly progress: number })[],
): Promise<ReadonlySet<RefKey>> {
  const column = <K extends keyof SessionRef | 'progress'>(key: K) =>
    progressed.map((row) => row[key])
  const { rows } = await sql<MovedRow>`/* recordProgress */
    update rota.execution e set progress = r.progress
    from unnest(${column('executionId')}::uuid[], ${column('epoch')}::bigint[], ${column('sessionId')}::uuid[],
      ${column('progress')}::real[]) as r (id, epoch, session_id, progress)
    where ${isReported} and e.state = 'running'
    returning ${MOVED_ROW}`.execute(db)
  return new Set(rows.map(refKey))
}

export interface LateReport extends AttemptRef {
  /** Name of the worker that says it. */
  readonly worker: string
  readonly outcome: string
  readonly exitCode: number | undefined
  readonly message: string
}

/** Keeps results of attempts that a worker had and that were given up as evidence. Anything else is no evidence. */
export async function insertLateReports(
  db: Db,
  late: readonly LateReport[],
): Promise<ExecutionId[]> {
  const column = <K extends keyof LateReport>(key: K) => late.map((row) => row[key] ?? null)
  const { rows } = await sql<{ execution_id: ExecutionId }>`/* insertLateReports */
    insert into rota.late_report (execution_id, epoch, worker, outcome, exit_code, message)
    select id, epoch, worker, outcome, exit_code, message
    from unnest(${column('executionId')}::uuid[], ${column('epoch')}::bigint[], ${column('worker')}::text[],
      ${column('outcome')}::text[], ${column('exitCode')}::int[], ${column('message')}::text[])
      as r (id, epoch, worker, outcome, exit_code, message)
    where exists (
      select from rota.attempt a
      where a.execution_id = r.id and a.epoch = r.epoch and a.worker = r.worker and a.outcome = 'lost')
    on conflict do nothing
    returning execution_id`.execute(db)
  return rows.map((row) => row.execution_id)
}

import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type { Epoch, ExecutionId, SessionId } from '../job/execution.ts'
import { MOVES } from '../job/transitions.ts'
import type { Db } from '../store/database.ts'

export interface AttemptRef {
  readonly executionId: ExecutionId
  readonly epoch: Epoch
}

/** Notes that the agent has journaled these assignments; answers the ones that are its own and current. */
export async function recordAccepted(
  db: Db,
  sessionId: SessionId,
  accepted: readonly AttemptRef[],
): Promise<ReadonlySet<ExecutionId>> {
  const { rows } = await sql<{ id: ExecutionId }>`/* recordAccepted */
    update rota.execution e set accepted_at = coalesce(e.accepted_at, clock_timestamp())
    from unnest(${accepted.map((ref) => ref.executionId)}::uuid[], ${accepted.map((ref) => ref.epoch)}::bigint[])
      as r (id, epoch)
    where e.id = r.id and e.epoch = r.epoch and e.session_id = ${sessionId}
    returning e.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Move `start`; answers the ones that are its own and current, also those that had started before. */
export async function recordStarted(
  db: Db,
  sessionId: SessionId,
  started: readonly AttemptRef[],
): Promise<ReadonlySet<ExecutionId>> {
  const { rows } = await sql<{ id: ExecutionId }>`/* recordStarted */
    with r (id, epoch) as (
      select * from unnest(${started.map((ref) => ref.executionId)}::uuid[], ${started.map((ref) => ref.epoch)}::bigint[])
    ), moved as (
      update rota.execution e
      set state = 'running', started_at = clock_timestamp(), accepted_at = coalesce(e.accepted_at, clock_timestamp())
      from r
      where e.id = r.id and e.epoch = r.epoch and e.session_id = ${sessionId}
        and e.state = any (${[...MOVES.start.from]}::text[])
      returning ${MOVED}
    ), told as (${tellMoved('started')})
    select id from moved
    union all
    select e.id from rota.execution e join r on e.id = r.id and e.epoch = r.epoch
    where e.session_id = ${sessionId} and e.state = 'running'`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Notes how far running attempts are, 0 to 1; answers the ones that are its own and current. */
export async function recordProgress(
  db: Db,
  sessionId: SessionId,
  progressed: readonly (AttemptRef & { readonly progress: number })[],
): Promise<ReadonlySet<ExecutionId>> {
  const column = <K extends keyof AttemptRef | 'progress'>(key: K) =>
    progressed.map((row) => row[key])
  const { rows } = await sql<{ id: ExecutionId }>`/* recordProgress */
    update rota.execution e set progress = r.progress
    from unnest(${column('executionId')}::uuid[], ${column('epoch')}::bigint[], ${column('progress')}::real[])
      as r (id, epoch, progress)
    where e.id = r.id and e.epoch = r.epoch and e.session_id = ${sessionId} and e.state = 'running'
    returning e.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

export interface LateReport extends AttemptRef {
  readonly outcome: string
  readonly exitCode: number | undefined
  readonly message: string
}

/** Keeps results of attempts that this worker had and that were given up as evidence. Anything else is no evidence. */
export async function insertLateReports(
  db: Db,
  worker: string,
  late: readonly LateReport[],
): Promise<number> {
  const column = <K extends keyof LateReport>(key: K) => late.map((row) => row[key] ?? null)
  const { rows } = await sql`/* insertLateReports */
    insert into rota.late_report (execution_id, epoch, worker, outcome, exit_code, message)
    select id, epoch, ${worker}, outcome, exit_code, message
    from unnest(${column('executionId')}::uuid[], ${column('epoch')}::bigint[], ${column('outcome')}::text[],
      ${column('exitCode')}::int[], ${column('message')}::text[]) as r (id, epoch, outcome, exit_code, message)
    where exists (
      select from rota.attempt a
      where a.execution_id = r.id and a.epoch = r.epoch and a.worker = ${worker} and a.outcome = 'lost')
    on conflict do nothing
    returning execution_id`.execute(db)
  return rows.length
}

/** False when its lease has ended, or its worker has a newer one. */
export async function isLiveSession(db: Db, sessionId: SessionId): Promise<boolean> {
  const { rows } = await sql`/* isLiveSession */
    select from rota.session where id = ${sessionId}`.execute(db)
  return rows.length === 1
}

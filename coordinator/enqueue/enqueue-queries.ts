import { sql } from 'kysely'
import { MOVED, tellMoved } from '../events/record-event-queries.ts'
import type {
  Epoch,
  ExecutionId,
  Guarantee,
  JobId,
  SessionId,
  Trigger,
  WorkerId,
} from '../job/execution.ts'
import { type PlacementNeeds, placementKey } from '../job/placement.ts'
import { MOVES } from '../job/transitions.ts'
import type { Db } from '../store/database.ts'

export interface ExecutionInsert {
  readonly id: ExecutionId
  readonly jobId: JobId
  readonly jobVersion: number
  readonly state: 'waiting' | 'queued'
  readonly reasonCode: '' | 'SCHEDULED_LATER' | 'DEPENDENCY' | 'OVERLAP'
  readonly trigger: Trigger
  readonly priority: number
  readonly classId: number
  readonly guarantee: Guarantee
  readonly scheduledFor: Date | null
  /** Null: now. Infinity: when something releases it. */
  readonly availableAt: Date | 'infinity' | null
  /** After its due time, or where it has none after it became available, in ms. */
  readonly startDeadlineMs: number | null
  readonly parameters: Record<string, unknown>
  readonly requestedBy: string
  readonly maxAttempts: number
  /** What lets it in (overlap.ts); null: nothing has to. */
  readonly gate: string | null
  /** Of one that is assigned at once if the session lives and its worker takes work. */
  readonly sessionId: SessionId | null
  readonly workerId: WorkerId | null
}

/** Of one that was assigned as it was inserted; it was created at the same time. */
export interface InsertedAssigned {
  readonly epoch: Epoch
  readonly assignedAt: Date
}

/**
 * Inserts executions; one whose id is there already stays as it is. Move `claim` for those that have a session, which is held
 * until the transaction ends; where it has ended meanwhile they are queued. Answers those that were assigned.
 */
export async function insertExecutions(
  db: Db,
  rows: readonly ExecutionInsert[],
): Promise<ReadonlyMap<ExecutionId, InsertedAssigned>> {
  const column = <K extends keyof ExecutionInsert>(key: K) => rows.map((row) => row[key])
  const parameters = rows.map((row) => JSON.stringify(row.parameters))
  const sessions = [...new Set(rows.flatMap(({ sessionId }) => sessionId ?? []))]
  const inserted = await sql<{
    id: ExecutionId
    epoch: Epoch
    assigned_ms: number
  }>`/* insertExecutions */
    with held as materialized (
      select s.id from rota.session s join rota.worker w on w.id = s.worker_id
      where s.id = any (${sessions}::uuid[]) and w.state = 'active' and w.deleted_at is null
      order by s.id
      for key share of s
    ), inserted as (
      insert into rota.execution as e (id, job_id, job_version, state, reason_code, trigger, priority, class_id, guarantee,
        scheduled_for, created_at, available_at, start_deadline_at, parameters, requested_by, max_attempts, gate, session_id,
        worker_id, attempt, epoch, assigned_at)
      select id, job_id, job_version, case when is_held then 'assigned' else state end, reason_code, trigger, priority,
        class_id, guarantee, scheduled_for, now, coalesce(available_at, now),
        coalesce(scheduled_for, nullif(available_at, 'infinity'), now) + start_deadline_ms * interval '1 millisecond',
        parameters, requested_by, max_attempts, gate, case when is_held then session_id end,
        case when is_held then worker_id end, case when is_held then 1 else 0 end,
        case when is_held then nextval('rota.epoch') else 0 end, case when is_held then now end
      from unnest(${column('id')}::uuid[], ${column('jobId')}::bigint[], ${column('jobVersion')}::int[],
        ${column('state')}::text[], ${column('reasonCode')}::text[], ${column('trigger')}::text[],
        ${column('priority')}::smallint[], ${column('classId')}::int[], ${column('guarantee')}::text[],
        ${column('scheduledFor')}::timestamptz[], ${column('availableAt')}::timestamptz[],
        ${column('startDeadlineMs')}::float8[], ${parameters}::jsonb[], ${column('requestedBy')}::text[],
        ${column('maxAttempts')}::int[], ${column('gate')}::uuid[], ${column('sessionId')}::uuid[],
        ${column('workerId')}::bigint[])
        as new (id, job_id, job_version, state, reason_code, trigger, priority, class_id, guarantee, scheduled_for,
          available_at, start_deadline_ms, parameters, requested_by, max_attempts, gate, session_id, worker_id)
      cross join (select clock_timestamp()::timestamptz(3) as now) n
      cross join lateral (select coalesce(session_id in (select h.id from held h), false) as is_held) s
      on conflict (id) do nothing
      returning ${MOVED}, e.requested_by, e.assigned_at
    ), created as (
      with moved as (
        select id, job_id, case state when 'assigned' then 'queued' else state end as state, reason_code, reason_message,
          null::bigint as worker_id, 0 as attempt, 0::bigint as epoch, requested_by
        from inserted
      ) ${tellMoved('created', sql`m.requested_by`)}
    ), assigned as (
      with moved as (select * from inserted where state = 'assigned') ${tellMoved('assigned')}
    )
    select id, epoch, extract(epoch from assigned_at)::float8 * 1000 as assigned_ms
    from inserted where state = 'assigned'`.execute(db)
  return new Map(
    inserted.rows.map(({ id, epoch, assigned_ms }) => {
      return [id, { epoch, assignedAt: new Date(Math.round(assigned_ms)) }]
    }),
  )
}

/** Ids of the classes that are there, by key. */
export async function readClasses(
  db: Db,
  keys: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: number; key: string }>`/* readClasses */
    select id, key from rota.placement_class where key = any (${keys}::text[])`.execute(db)
  return new Map(rows.map(({ id, key }) => [key, id]))
}

/** Inserts classes; one that another transaction inserts at the same time is waited for. */
export async function insertClasses(db: Db, classes: readonly PlacementNeeds[]): Promise<void> {
  await db
    .insertInto('rota.placement_class')
    .values(
      classes.map((needs) => ({
        key: placementKey(needs),
        capabilities: [...needs.capabilities],
        selector: needs.selector,
        worker: needs.worker,
        slots: needs.slots,
      })),
    )
    .onConflict((conflict) => conflict.column('key').doNothing())
    .execute()
}

/** Asks for a look at the dependencies of these jobs. */
export async function insertDependencyChecks(db: Db, jobIds: readonly JobId[]): Promise<void> {
  await sql`/* insertDependencyChecks */
    insert into rota.dependency_check (job_id) select unnest(${jobIds}::bigint[])`.execute(db)
}

/**
 * Move `release`: backoff that is over and waits for a time that has come. What must be let in first goes on waiting, for
 * that. Answers the new state of each.
 */
export async function releaseDue(db: Db, limit: number): Promise<('queued' | 'waiting')[]> {
  const { rows } = await sql<{ state: 'queued' | 'waiting' }>`/* releaseDue */
    with due as materialized (
      select id, state = 'waiting' and gate is not null as is_held from rota.execution
      where state in ('waiting', 'backoff') and available_at <= clock_timestamp()
      order by available_at limit ${limit}
      for update skip locked
    ), changed as (
      update rota.execution e
      set state = case when due.is_held then 'waiting' else 'queued' end,
        reason_code = case when due.is_held then e.reason_code else '' end, reason_message = '',
        available_at = case when due.is_held then 'infinity' else clock_timestamp() end
      from due where e.id = due.id and e.state = any (${[...MOVES.release.from]}::text[])
      returning ${MOVED}
    ), moved as (select * from changed where state = 'queued'), told as (${tellMoved('queued')})
    select state from changed`.execute(db)
  return rows.map(({ state }) => state)
}

/** In how many ms the next one is due for release; undefined when none waits for a time. */
export async function nextReleaseMs(db: Db): Promise<number | undefined> {
  const { rows } = await sql<{ wait_ms: number }>`/* nextReleaseMs */
    select extract(epoch from available_at - clock_timestamp())::float8 * 1000 as wait_ms
    from rota.execution
    where state in ('waiting', 'backoff') and available_at < 'infinity'
    order by available_at limit 1`.execute(db)
  return rows[0]?.wait_ms
}

export interface LateExecution {
  readonly id: ExecutionId
  readonly state: 'waiting' | 'queued' | 'backoff'
  readonly reason_code: string
  readonly reason_message: string
  readonly start_deadline_at: Date
}

/** Executions whose start deadline has passed, locked. */
export async function lockPastDeadline(db: Db, limit: number): Promise<LateExecution[]> {
  const { rows } = await sql<LateExecution>`/* lockPastDeadline */
    select id, state, reason_code, reason_message, start_deadline_at from rota.execution
    where start_deadline_at < clock_timestamp() and state in ('waiting', 'queued', 'backoff') and attempt = 0
    order by start_deadline_at limit ${limit}
    for update skip locked`.execute(db)
  return rows
}

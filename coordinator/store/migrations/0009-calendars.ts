// breaking: yes (paused jobs keep their schedule, which releases before would run)
import { type Kysely, sql } from 'kysely'

/** Calendars, freezes, pauses that end by themselves, and runs that are skipped on request. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [calendars, freezes, pauses, ledger]) await sql.raw(statement).execute(db)
}

export const breaking = 'paused jobs keep their schedule, so a coordinator must know pauses'

const calendars = `
create table rota.calendar (
  id bigint generated always as identity primary key,
  name text not null unique check (length(name) between 1 and 200),
  display_name text not null default '',
  description text not null default '',
  days jsonb not null,
  -- Counts every change: the etag, and what coordinators know of it.
  revision bigint not null default 1,
  created_at timestamptz(3) not null default clock_timestamp(),
  updated_at timestamptz(3) not null default clock_timestamp()
);

-- Which jobs' schedules use it, so that it stays, and they learn of its changes.
create table rota.job_calendar (
  job_id bigint not null references rota.job,
  calendar_id bigint not null references rota.calendar,
  primary key (job_id, calendar_id)
);
-- serves: readUsers, wakeUsers.
create index job_calendar_calendar on rota.job_calendar (calendar_id);
`

const freezes = `
create table rota.freeze (
  id bigint generated always as identity primary key,
  name text not null unique check (length(name) between 1 and 200),
  reason text not null default '',
  owner text not null,
  -- Both blank: all jobs.
  job_prefix text not null default '',
  selector text not null default '',
  starts_at timestamptz(3) not null,
  ends_at timestamptz(3) not null,
  after text not null check (after in ('skip', 'run_once', 'run_all')),
  include_manual boolean not null default false,
  created_at timestamptz(3) not null default clock_timestamp(),
  -- What is to run after it has been enqueued for the jobs up to this id, for all of them since then.
  thawed_up_to bigint not null default 0,
  thawed_at timestamptz(3),
  execution_count integer not null default 0,
  check (ends_at >= starts_at)
);
-- serves: lockDueSchedules, which asks whether any reaches beyond a mark.
create index freeze_end on rota.freeze (ends_at);
-- serves: lockEndedFreeze.
create index freeze_open on rota.freeze (ends_at) where thawed_at is null;
`

const pauses = `
alter table rota.job
  add column paused_by text not null default '',
  -- When its pause ends by itself.
  add column resume_at timestamptz(3);

-- From here on: the schedule of every job that has a due time ahead, or a pause that ends by itself. due_at is when it must be
-- looked at, which is the next due time unless the pause ends before.
alter table rota.schedule
  -- The next due time that will really run.
  add column run_at timestamptz(3),
  -- Nothing that is due before resume_at runs; null: nothing at all.
  add column is_paused boolean not null default false,
  add column resume_at timestamptz(3),
  add column pause_note text not null default '',
  -- Of the due times after skip_after so many are to be skipped still.
  add column skip_left integer not null default 0 check (skip_left >= 0),
  add column skip_after timestamptz(3),
  add column skip_note text not null default '',
  add constraint schedule_skip check (skip_left = 0 or skip_after is not null),
  add constraint schedule_pause check (is_paused or resume_at is null);
update rota.schedule set run_at = due_at;
`

// Not validated: every row that is there satisfies them, and reading the ledger would stop the world meanwhile.
const ledger = `
alter table rota.occurrence
  add column freeze_id bigint,
  drop constraint occurrence_decision_check,
  drop constraint occurrence_check,
  add constraint occurrence_decision check (decision in ('enqueued', 'skipped_overlap', 'skipped_calendar',
    'skipped_paused', 'skipped_freeze', 'skipped_requested', 'missed', 'coalesced')) not valid,
  -- What a freeze has skipped may run after it.
  add constraint occurrence_execution check (execution_id is not null = (decision = 'enqueued')
    or decision = 'skipped_freeze') not valid,
  add constraint occurrence_freeze check (freeze_id is null or decision = 'skipped_freeze') not valid;
-- serves: readThawed, countSkipped.
create index occurrence_freeze on rota.occurrence (freeze_id, job_id, scheduled_for) where freeze_id is not null;
`

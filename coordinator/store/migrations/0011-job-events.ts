// breaking: no
import { type Kysely, sql } from 'kysely'

/**
 * The events of jobs are found by job. Days that hold events already stay without the index, and are read through until they
 * are dropped: to build one over a week of events would stop the world meanwhile. Days that are made later have it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [index, partitions]) await sql.raw(statement).execute(db)
}

const index = `
-- serves: readSwitchesAround.
create index event_job on only rota.event (job_id, happened_at) where type = 'job';
`

const partitions = `
do $$
declare
  day regclass;
  is_empty boolean;
  name text;
begin
  for day in select inhrelid::regclass from pg_inherits where inhparent = 'rota.event'::regclass loop
    execute format('select not exists (select from %s)', day) into is_empty;
    continue when not is_empty;
    name := (select relname from pg_class where oid = day) || '_job';
    execute format('create index %I on %s (job_id, happened_at) where type = ''job''', name, day);
    execute format('alter index rota.event_job attach partition rota.%I', name);
  end loop;
end $$;
`

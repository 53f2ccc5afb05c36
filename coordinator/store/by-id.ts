/**
 * How the flow finds live executions by their ids: each with a look into the primary key, whatever the planner believes.
 *
 * When the live table was vacuumed while it was empty, PostgreSQL takes every index of it for one page: it plans to read one of them
 * whole instead of looking up each id, and that plan stays while the queue grows. A claim of 240 out of 20,000 took 318 ms instead of 3
 * (`npm run bench -- scale`). It reads an index whole only for its order, which serves an equality of columns; so none is
 * written here.
 */
import { type RawBuilder, sql } from 'kysely'

/** The live execution `of` is that of a row of `from`. */
export function hasIdOf(from: string, of = 'e'): RawBuilder<boolean> {
  return sql`${sql.ref(`${of}.id`)} = any (array[${sql.ref(`${from}.id`)}])`
}

/** `e` is what `r` says with its `id`, `epoch` and `session_id`. */
export const isReported = sql<boolean>`${hasIdOf('r')} and e.epoch = r.epoch
  and e.session_id is not distinct from r.session_id`

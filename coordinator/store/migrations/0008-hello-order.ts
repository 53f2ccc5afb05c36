// breaking: no
import { type Kysely, sql } from 'kysely'

/** Which hello began a session, so that one that was held up does not replace what a later one has begun. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table rota.session add column hello_order bigint not null default 0`.execute(db)
}

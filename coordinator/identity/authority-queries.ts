import type { Db } from '../store/database.ts'

export interface StoredAuthority {
  readonly certificate_pem: string
  readonly sealed_key: Buffer
}

/** The certificate authority of this database, if it has one. */
export async function findAuthority(db: Db): Promise<StoredAuthority | undefined> {
  return db
    .selectFrom('rota.authority')
    .select(['certificate_pem', 'sealed_key'])
    .executeTakeFirst()
}

/** False when there is one already. */
export async function insertAuthority(db: Db, authority: StoredAuthority): Promise<boolean> {
  const rows = await db
    .insertInto('rota.authority')
    .values({ ...authority, is_only: true })
    .onConflict((conflict) => conflict.column('is_only').doNothing())
    .returning('is_only')
    .execute()
  return rows.length === 1
}

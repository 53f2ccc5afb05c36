/** Many rows made from one that the product has written, so that only it needs to know its tables. */
import type { BenchDatabase } from './postgres.ts'

export interface RowCopy {
  /** e.g. `rota.job` */
  readonly table: string
  /** What the row, `t`, is joined with: one copy for each. */
  readonly beside: string
  readonly where: string
  /** SQL of the columns that differ. */
  readonly as: Readonly<Record<string, string>>
}

/** Copies; columns that the database itself fills are left to it. */
export async function copyRows(
  database: Pick<BenchDatabase, 'query'>,
  copy: RowCopy,
): Promise<void> {
  const rows = await database.query<{ name: string }>(
    `select quote_ident(attname) as name from pg_attribute
    where attrelid = $1::regclass and attnum > 0 and not attisdropped and attidentity = '' and attgenerated = ''
    order by attnum`,
    [copy.table],
  )
  const names = rows.map(({ name }) => name)
  const values = names.map((name) => copy.as[name] ?? `t.${name}`)
  await database.query(
    `insert into ${copy.table} (${names.join(', ')})
    select ${values.join(', ')} from ${copy.table} t, ${copy.beside} where ${copy.where}`,
  )
}

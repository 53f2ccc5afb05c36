import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'kysely'
import { pino } from 'pino'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'

let database: TestDatabase
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connection: database.connection, logger: pino({ level: 'silent' }) })
})

afterAll(async () => {
  await db.destroy()
  await database.drop()
})

interface Column {
  readonly name: string
  readonly isNullable: boolean
  /** May be left out of an insert. */
  readonly isOptional: boolean
}

/** What `tables.ts` says of each table, read by the compiler itself. */
function declaredTables(): Map<string, Column[]> {
  const file = new URL('../../coordinator/store/tables.ts', import.meta.url).pathname
  const options = {
    strict: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  }
  const program = ts.createProgram([file], {
    ...options,
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  })
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)!
  const tables = source.statements.find(
    (node): node is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(node) && node.name.text === 'Tables',
  )!
  return new Map(
    checker
      .getTypeAtLocation(tables)
      .getProperties()
      .map((table) => {
        const columns = checker.getTypeOfSymbolAtLocation(table, tables).getProperties()
        return [table.name, columns.map((column) => declaredColumn(checker, column, tables))]
      }),
  )
}

/** A column is its type, or a ColumnType with one type for reading and one for inserting. */
function declaredColumn(checker: ts.TypeChecker, column: ts.Symbol, at: ts.Node): Column {
  const type = checker.getTypeOfSymbolAtLocation(column, at)
  const part = (name: string) => {
    const symbol = type.getProperty(name)
    return symbol === undefined ? type : checker.getTypeOfSymbolAtLocation(symbol, at)
  }
  const has = (of: ts.Type, flag: ts.TypeFlags) =>
    (of.isUnion() ? of.types : [of]).some(({ flags }) => (flags & flag) !== 0)
  const isNullable = has(part('__select__'), ts.TypeFlags.Null)
  const isOptional = isNullable || has(part('__insert__'), ts.TypeFlags.Undefined)
  return { name: column.name, isNullable, isOptional }
}

async function migratedTables(): Promise<Map<string, (Column & { type: string })[]>> {
  const { rows } = await sql<Column & { table: string; kind: string; type: string }>`
    select 'rota.' || c.relname as "table", c.relkind as kind, a.attname as name, not a.attnotnull as "isNullable",
      not a.attnotnull or a.atthasdef or a.attidentity <> '' as "isOptional", format_type(a.atttypid, a.atttypmod) as type
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where n.nspname = 'rota' and c.relkind in ('r', 'p', 'v') and not c.relispartition and a.attnum > 0
      and not a.attisdropped and c.relname not like 'migration%'
    order by c.relname, a.attnum`.execute(db)
  return Map.groupBy(rows, ({ table }) => table)
}

describe('tables.ts', () => {
  test('has every table and every column of the migrated schema, and no other', async () => {
    const declared = declaredTables()
    const migrated = await migratedTables()
    expect([...declared.keys()].sort()).toEqual([...migrated.keys()].sort())
    for (const [table, columns] of migrated) {
      expect(names(declared.get(table)!), table).toEqual(names(columns))
    }
  })

  test('says of each column whether it may be null, and be left out of an insert', async () => {
    const declared = declaredTables()
    for (const [table, columns] of await migratedTables()) {
      // PostgreSQL does not know of the columns of a view.
      if (table === 'rota.execution_any') continue
      const nullable = (of: readonly Column[]) => names(of.filter(({ isNullable }) => isNullable))
      expect(nullable(declared.get(table)!), table).toEqual(nullable(columns))
      // jsonb columns are always written, though they have a default.
      const optional = columns.filter(({ isOptional, type }) => isOptional && type !== 'jsonb')
      const declaredOptional = declared.get(table)!.filter(({ isOptional }) => isOptional)
      const jsonb = columns.filter(({ type }) => type === 'jsonb')
      const known = declaredOptional.filter(({ name }) => !names(jsonb).includes(name))
      expect(names(known), table).toEqual(names(optional))
    }
  })

  test('is used with times of a millisecond, so that what is read equals what is stored', async () => {
    for (const [table, columns] of await migratedTables()) {
      if (table === 'rota.execution_any') continue
      const times = columns.filter(({ type }) => type.startsWith('timestamp'))
      for (const { name, type } of times) {
        expect(`${table}.${name} ${type}`).toBe(`${table}.${name} timestamp(3) with time zone`)
      }
    }
  })
})

function names(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name).sort()
}

test('every table of the migrations is written down in tables.ts', () => {
  const folder = new URL('../../coordinator/store/migrations/', import.meta.url)
  const migrations = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const created = [...migrations.join('\n').matchAll(/create (?:table|view) (rota\.\w+)/g)].map(
    ([, name]) => name,
  )
  const tables = created.filter((name) => !name?.endsWith('_default'))
  expect([...declaredTables().keys()].sort()).toEqual(tables.sort())
})

/** Kysely over the model: statements with a name are told by it, without making SQL of them. */
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresQueryCompiler,
  type QueryCompiler,
  type RootOperationNode,
  type ValueNode,
} from 'kysely'
import type { Database } from '../../../coordinator/store/database.ts'
import type { Tables } from '../../../coordinator/store/tables.ts'

/** What a pool of connections to the model does. */
export interface StoreClient {
  acquire(): Promise<DatabaseConnection>
  begin(connection: DatabaseConnection): Promise<void>
  commit(connection: DatabaseConnection): Promise<void>
  rollback(connection: DatabaseConnection): Promise<void>
  release(connection: DatabaseConnection): Promise<void>
}

export function openModel(client: StoreClient): Database {
  const dialect: Dialect = {
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new NameCompiler(),
    createIntrospector: () => {
      throw new Error('the model has nothing to introspect')
    },
    createDriver: () => ({
      init: async () => {},
      acquireConnection: () => client.acquire(),
      beginTransaction: (connection) => client.begin(connection),
      commitTransaction: (connection) => client.commit(connection),
      rollbackTransaction: (connection) => client.rollback(connection),
      releaseConnection: (connection) => client.release(connection),
      destroy: async () => {},
    }),
  }
  return new Kysely<Tables>({ dialect })
}

const NAME = /^\s*\/\* (\w+) \*\//
/** By the literal of the call site, which is one object for ever. */
const names = new WeakMap<readonly string[], string>()
const NAMELESS = ''

class NameCompiler implements QueryCompiler {
  readonly #postgres = new PostgresQueryCompiler()

  compileQuery(node: RootOperationNode, queryId: CompiledQuery['queryId']): CompiledQuery {
    if (node.kind !== 'RawNode') return this.#postgres.compileQuery(node, queryId)
    const { sqlFragments, parameters } = node
    let name = names.get(sqlFragments)
    if (name === undefined) {
      name = NAME.exec(sqlFragments[0] ?? '')?.[1] ?? NAMELESS
      names.set(sqlFragments, name)
    }
    if (name === NAMELESS) return this.#postgres.compileQuery(node, queryId)
    const values: unknown[] = []
    for (const parameter of parameters) {
      if (parameter.kind === 'ValueNode') values.push((parameter as ValueNode).value)
    }
    return { query: node, queryId, sql: name, parameters: values }
  }
}

/**
 * Kysely over the model: statements with a name are told by it, without making SQL of them, and go to their connection
 * without the promises of drivers and plugins that nobody has here.
 *
 * M1. Who gets a connection gives it back, whatever becomes of the work; a transaction that fails is rolled back.
 * M2. A transaction that has ended takes no more statements.
 */
import {
  type CompiledQuery,
  DefaultQueryExecutor,
  type Dialect,
  DummyDriver,
  Kysely,
  type KyselyProps,
  PostgresAdapter,
  PostgresQueryCompiler,
  type QueryCompiler,
  type QueryResult,
  type RootOperationNode,
  Transaction,
  TransactionBuilder,
  type ValueNode,
} from 'kysely'
import type { Database } from '../../../coordinator/store/database.ts'
import type { Tables } from '../../../coordinator/store/tables.ts'

/** One connection to the model. */
export interface ModelConnection {
  execute(query: CompiledQuery): Promise<object[]>
  begin(): void
  commit(): Promise<object[]>
  rollback(): void
}

/** What a pool of connections to the model does. */
export interface ModelPool {
  acquire(): ModelConnection | Promise<ModelConnection>
  release(connection: ModelConnection): void
}

export function openModel(pool: ModelPool): Database {
  return new ModelDatabase(propsOf(new PooledExecutor(pool)), pool)
}

class ModelDatabase extends Kysely<Tables> {
  readonly #transactions: TransactionBuilder<Tables>

  constructor(props: KyselyProps, pool: ModelPool) {
    super(props)
    this.#transactions = new ModelTransactions(props, pool)
  }

  override transaction(): TransactionBuilder<Tables> {
    return this.#transactions
  }
}

class ModelTransactions extends TransactionBuilder<Tables> {
  readonly #pool: ModelPool

  constructor(props: KyselyProps, pool: ModelPool) {
    super(props)
    this.#pool = pool
  }

  override async execute<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T> {
    const connection = await this.#pool.acquire()
    const executor = new ConnectedExecutor(connection)
    let hasBegun = false
    try {
      connection.begin()
      hasBegun = true
      const result = await work(new Transaction<Tables>(propsOf(executor)))
      await connection.commit()
      return result
    } catch (error) {
      if (hasBegun) connection.rollback()
      throw error
    } finally {
      executor.isOver = true
      this.#pool.release(connection)
    }
  }
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

const COMPILER = new NameCompiler()
const ADAPTER = new PostgresAdapter()
const DRIVER = new DummyDriver()
const NO_PROVIDER = {
  provideConnection(): never {
    throw new Error('the model has no connections of its own')
  },
}
const DIALECT: Dialect = {
  createAdapter: () => ADAPTER,
  createQueryCompiler: () => COMPILER,
  createDriver: () => DRIVER,
  createIntrospector() {
    throw new Error('the model has nothing to introspect')
  },
}

function propsOf(executor: DefaultQueryExecutor): KyselyProps {
  return { config: { dialect: DIALECT }, driver: DRIVER, dialect: DIALECT, executor }
}

abstract class ModelExecutor extends DefaultQueryExecutor {
  constructor() {
    super(COMPILER, ADAPTER, NO_PROVIDER)
  }

  override transformQuery<N extends RootOperationNode>(node: N): N {
    return node
  }
}

/** A connection for each statement. */
class PooledExecutor extends ModelExecutor {
  readonly #pool: ModelPool

  constructor(pool: ModelPool) {
    super()
    this.#pool = pool
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const connection = await this.#pool.acquire()
    try {
      return resultOf(await connection.execute(query))
    } finally {
      this.#pool.release(connection)
    }
  }
}

/** The connection of a transaction. */
class ConnectedExecutor extends ModelExecutor {
  readonly #connection: ModelConnection
  isOver = false

  constructor(connection: ModelConnection) {
    super()
    this.#connection = connection
  }

  override async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (this.isOver) throw new Error('Transaction is already committed or rolled back')
    return resultOf(await this.#connection.execute(query))
  }
}

function resultOf<R>(rows: object[]): QueryResult<R> {
  return { rows: rows as R[], numAffectedRows: BigInt(rows.length) }
}

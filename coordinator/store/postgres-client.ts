/**
 * The driver's client, hardened against what it does by default (evidence: node-postgres #2973, #3399).
 *
 * D2. A client whose query timed out is destroyed, never used again: its next answer would be the old one.
 * D5. A statement that begins with a comment is prepared under its text, so hot statements are planned once.
 * D6. A commit that the server answers without waiting for its synchronous standby is an error: it may not be there
 *     after a failover (PostgreSQL says success, with a warning).
 * D7. What fails because the server is away leaves as DATABASE_UNAVAILABLE, and says when a change may have been stored.
 * D8. BEGIN goes out together with the first statement of its transaction, in one write: nobody waits for its answer alone.
 *     A transaction without statements never reaches the server.
 */
import type { Socket } from 'node:net'
import pg from 'pg'
import { arrayLiteral } from './array-literal.ts'
import { isAnswered, isServerTrouble, READ_TIMEOUT, unavailable } from './database-errors.ts'

/** Told what the statements of a client show of the server. */
export interface ClientHooks {
  readonly onTrouble: (error: unknown) => void
  /** A statement begins; what it returns is called when it has ended. */
  readonly onStatement: () => () => void
}

export interface HardenedConfig extends pg.ClientConfig {
  readonly hooks?: ClientHooks
}

/** `/* claimQueued *\/ ...`: the name under which a statement is prepared. */
const STATEMENT_NAME = /^\s*\/\* (\w+) \*\//
const READS = /^\s*(\/\*.*?\*\/\s*)?(select|show|begin|start transaction|rollback)\b/i
const COMMIT = /^commit\b/i
/** As Kysely says them. */
const BEGIN = 'begin'
const ENDS: Readonly<Record<string, string>> = { commit: 'COMMIT', rollback: 'ROLLBACK' }

export class HardenedClient extends pg.Client {
  readonly #names = new Map<string, string | undefined>()
  readonly #hooks: ClientHooks | undefined
  #isUnreplicated = false
  /** A BEGIN was asked for, and waits for its first statement. */
  #isBeginning = false

  constructor(config: HardenedConfig) {
    super(config)
    this.#hooks = config.hooks
    this.on('notice', (notice) => {
      if (Reflect.get(notice, 'routine') === 'SyncRepWaitForLSN') this.#isUnreplicated = true
    })
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the overloads of pg meet in one untyped function
  override query(...args: any[]): any {
    const [text] = args
    if (text === BEGIN) {
      this.#isBeginning = true
      return Promise.resolve(answerOf('BEGIN'))
    }
    if (!this.#isBeginning) return this.#send(args)
    const end = typeof text === 'string' ? ENDS[text] : undefined
    this.#isBeginning = false
    return end === undefined ? this.#sendFirst(args) : Promise.resolve(answerOf(end))
  }

  /** D8. */
  #sendFirst(args: readonly unknown[]): unknown {
    const { stream } = (this as unknown as WithStream).connection
    stream.cork()
    const begun = super.query(BEGIN)
    const result = this.#send(args, true)
    stream.uncork()
    const isRead = READS.test(String(args[0]))
    return this.#afterBegin(begun, result, isRead)
  }

  async #afterBegin(begun: Promise<unknown>, result: unknown, isRead: boolean): Promise<unknown> {
    // Whoever waits for it has not come that far when BEGIN fails.
    if (result instanceof Promise) result.catch(() => {})
    try {
      await begun
    } catch (error) {
      // The statement may have run without a transaction around it.
      this.destroy()
      if (isServerTrouble(error)) this.#hooks?.onTrouble(error)
      throw unavailable(error, { isUnknown: !isRead })
    }
    return result
  }

  #send(args: readonly unknown[], isFirst = false): unknown {
    const [text, values] = args
    const name = typeof text === 'string' && Array.isArray(values) ? this.#nameOf(text) : undefined
    const isChange = typeof text === 'string' && !isFirst && this.#mayChange(text)
    const given = Array.isArray(values) ? [values.map(withArrays), ...args.slice(2)] : args.slice(1)
    const query = name === undefined ? text : { name, text }
    const result: unknown = super.query(...([query, ...given] as unknown as [string]))
    return result instanceof Promise ? this.#watch(result, isChange) : result
  }

  /** Cuts the connection; whoever waits for an answer is told so now. */
  destroy(): void {
    const { connection } = this as unknown as WithStream
    connection.stream.destroy()
    // A pool looks at this before the destroyed socket has said that it is closed.
    Reflect.set(this, '_queryable', false)
  }

  async #watch(result: Promise<unknown>, isChange: boolean): Promise<unknown> {
    const onEnd = this.#hooks?.onStatement()
    try {
      const answer = await result
      if (this.#isUnreplicated) throw new Error('committed here only, not by the standby (D6)')
      return answer
    } catch (error) {
      throw this.#explain(error, isChange)
    } finally {
      onEnd?.()
    }
  }

  #explain(error: unknown, isChange: boolean): unknown {
    if (this.#isUnreplicated) {
      this.destroy()
      return unavailable(error, { isUnknown: true })
    }
    if (!isServerTrouble(error)) return error
    if (error instanceof Error && error.message === READ_TIMEOUT) this.destroy()
    this.#hooks?.onTrouble(error)
    return unavailable(error, { isUnknown: isChange && !isAnswered(error) })
  }

  /** True for what commits: COMMIT, and a statement outside of a transaction that does more than read. */
  #mayChange(text: string): boolean {
    if (COMMIT.test(text)) return true
    return this.getTransactionStatus() === 'I' && !READS.test(text)
  }

  #nameOf(text: string): string | undefined {
    if (!text.includes('/*')) return undefined
    if (!this.#names.has(text)) this.#names.set(text, STATEMENT_NAME.exec(text)?.[1])
    return this.#names.get(text)
  }
}

/** What the driver's types leave out. */
interface WithStream {
  readonly connection: { readonly stream: Socket }
}

/** Of a statement that was not sent. */
function answerOf(command: string) {
  return { command, rowCount: null, rows: [] }
}

function withArrays(value: unknown): unknown {
  return Array.isArray(value) ? (arrayLiteral(value) ?? value) : value
}

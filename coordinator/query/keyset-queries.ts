/** Pages by keyset: the next one begins after the last row's sort keys, so that inserts in between shift nothing. */
import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely'
import { type FieldViolation, invalidRequest } from '../../shared/errors/rota-error.ts'
import type { Condition, SyntaxProblem } from './condition.ts'
import { type Comparison, type Fields, type OrderKey, parseFilter, parseOrderBy } from './filter.ts'
import { decodePageToken, encodePageToken } from './page-token.ts'

type Columns = Readonly<Record<string, RawBuilder<unknown>>>

export interface Page<C extends Columns = Columns> {
  readonly columns: C
  readonly condition: Expression<SqlBool>
  readonly order: readonly OrderKey[]
  /** Sort keys of the last row of the page before, as text; undefined on the first page. */
  readonly after: readonly string[] | undefined
  /** One more than the page shows: that one says that there is another page. */
  readonly limit: number
}

export interface ListRequest {
  readonly pageSize: number
  readonly pageToken: string
  readonly filter: string
  readonly orderBy: string
}

const PAGE_SIZE = 50
const PAGE_SIZE_MAX = 1_000

export interface ListDefinition<C extends Columns> {
  readonly columns: C
  readonly fields: Fields
  /** The fields whose columns are never null: a list can be sorted by them. */
  readonly sortable: readonly string[]
  /** The order when none is asked for; its last key must be unique. */
  readonly order: readonly OrderKey[]
}

/** Reads what every list request has; `args` are its other fields, which must stay the same from page to page. */
export function readPage<C extends Columns>(
  definition: ListDefinition<C>,
  request: ListRequest,
  args: object,
): Page<C> {
  const { pageSize, pageToken } = request
  if (pageSize < 0) {
    refuse({ field: 'page_size', reason: 'FIELD_INVALID', message: 'must not be negative' })
  }
  const reading = parseFilter(request.filter, definition.fields)
  if (reading.kind === 'error') refuse(unreadable('filter', reading))
  const order = readOrder(definition, request.orderBy)
  const identity = pageIdentity(request, args)
  const after = pageToken === '' ? undefined : decodePageToken(pageToken, identity)
  const isDamaged = pageToken !== '' && (after === undefined || after.length !== order.length)
  if (isDamaged) {
    const message = 'is damaged, or of another request'
    refuse({ field: 'page_token', reason: 'PAGE_TOKEN_INVALID', message })
  }
  return {
    columns: definition.columns,
    condition: toSql(reading.filter, definition.columns),
    order,
    after: after?.map(String),
    limit: Math.min(pageSize || PAGE_SIZE, PAGE_SIZE_MAX) + 1,
  }
}

/** Cuts the row that is one too many; `keys` gives the sort keys of a row. */
export function finishPage<R>(
  page: Page,
  rows: readonly R[],
  next: {
    readonly request: ListRequest
    readonly args: object
    readonly keys: (row: R) => readonly string[]
  },
): { rows: R[]; nextPageToken: string } {
  const shown = rows.slice(0, page.limit - 1)
  const last = shown.at(-1)
  if (rows.length < page.limit || last === undefined) return { rows: shown, nextPageToken: '' }
  const token = encodePageToken(next.keys(last), pageIdentity(next.request, next.args))
  return { rows: shown, nextPageToken: token }
}

function pageIdentity(request: ListRequest, args: object): object {
  return { filter: request.filter, orderBy: request.orderBy, ...args }
}

function readOrder<C extends Columns>(definition: ListDefinition<C>, orderBy: string): OrderKey[] {
  const sortable = Object.entries(definition.fields).filter(([name]) =>
    definition.sortable.includes(name),
  )
  const reading = parseOrderBy(orderBy, Object.fromEntries(sortable))
  if (reading.kind === 'error') refuse(unreadable('order_by', reading))
  const named = new Set(reading.order.map(({ field }) => field))
  return [...reading.order, ...definition.order.filter(({ field }) => !named.has(field))]
}

function unreadable(field: string, { message, position, hint }: SyntaxProblem): FieldViolation {
  return { field, reason: 'FILTER_INVALID', message: `${message} at character ${position}`, hint }
}

function refuse(violation: FieldViolation): never {
  throw invalidRequest([violation])
}

/** `order by` of the page. */
export function orderTerms(page: Page): RawBuilder<unknown> {
  const terms = page.order.map(({ field, isDescending }) =>
    isDescending
      ? sql`${columnOf(page.columns, field)} desc`
      : sql`${columnOf(page.columns, field)} asc`,
  )
  return sql.join(terms)
}

/** True for the rows behind the page before: greater in the first key that differs. */
export function keysetAfter({ columns, order, after }: Page): RawBuilder<SqlBool> {
  if (after === undefined) return sql<boolean>`true`
  const terms = order.map(({ field, isDescending }, index) => {
    const equal = order
      .slice(0, index)
      .map((key, before) => sql`${columnOf(columns, key.field)} = ${after[before]}`)
    const operator = isDescending ? sql`<` : sql`>`
    return sql`(${sql.join([...equal, sql`${columnOf(columns, field)} ${operator} ${after[index]}`], sql` and `)})`
  })
  return sql<boolean>`(${sql.join(terms, sql` or `)})`
}

function columnOf(columns: Columns, field: string): RawBuilder<unknown> {
  const column = columns[field]
  if (column === undefined) throw new Error(`no column for ${field}`)
  return column
}

function toSql(filter: Condition<Comparison> | undefined, columns: Columns): RawBuilder<SqlBool> {
  if (filter === undefined) return sql<boolean>`true`
  switch (filter.kind) {
    case 'term':
      return compare(filter.term, columnOf(columns, filter.term.field))
    case 'not':
      return sql<boolean>`not (${toSql(filter.item, columns)})`
    case 'and':
    case 'or': {
      if (filter.items.length === 0) return sql<boolean>`${filter.kind === 'and'}`
      const items = filter.items.map((item) => sql`(${toSql(item, columns)})`)
      return sql<boolean>`(${sql.join(items, filter.kind === 'and' ? sql` and ` : sql` or `)})`
    }
  }
}

/** Operators of the grammar; nothing else ever becomes SQL text. */
const OPERATORS = {
  '=': sql`is not distinct from`,
  '!=': sql`is distinct from`,
  '<': sql`<`,
  '<=': sql`<=`,
  '>': sql`>`,
  '>=': sql`>=`,
} as const

function compare(term: Comparison, column: RawBuilder<unknown>): RawBuilder<SqlBool> {
  switch (term.type) {
    case 'number':
      // As float8: the column's own type may have no such number.
      return sql<boolean>`${column} ${OPERATORS[term.operator]} ${term.value}::float8`
    case 'time':
      return sql<boolean>`${column} ${OPERATORS[term.operator]} ${term.value}`
    case 'oneOf':
      return sql<boolean>`${column} ${OPERATORS[term.operator]} ${term.value.toLowerCase()}`
    case 'text':
      // As text: ids are uuids to the database, and not every text is one.
      return term.operator === ':'
        ? sql<boolean>`position(lower(${term.value}) in lower(${column}::text)) > 0`
        : sql<boolean>`${column}::text ${OPERATORS[term.operator]} ${term.value}`
    case 'labels':
      return term.operator === 'exists'
        ? sql<boolean>`${column} ->> ${term.key} is not null`
        : sql<boolean>`${column} ->> ${term.key} ${OPERATORS[term.operator]} ${term.value}`
    case 'set':
      return sql<boolean>`${term.value} = any (${column})`
  }
}

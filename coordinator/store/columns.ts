/** Kinds of columns that many tables have. */
import type { ColumnType, JSONColumnType } from 'kysely'

/** A time that the database fills in when none is given. */
export type StampedAt = ColumnType<Date, Date | undefined, Date>
/** A JSON object, written as text. */
export type JsonObject = JSONColumnType<Record<string, unknown>>

/** Resource names of the contract and enum literals, to and from the words used inside. */
import { RotaError } from './errors/rota-error.ts'

export type Collection = 'jobs' | 'executions' | 'workers' | 'calendars' | 'freezes'

/** `jobs/backup` from `backup`. */
export function resourceName(collection: Collection, id: string): string {
  return `${collection}/${id}`
}

/** `backup` from `jobs/backup`; throws FIELD_REQUIRED or NAME_INVALID for anything else. */
export function parseResourceName(collection: Collection, name: string, field: string): string {
  if (name === '') {
    throw new RotaError('FIELD_REQUIRED', `${field}: is missing`, {
      violations: [{ field, reason: 'FIELD_REQUIRED', message: 'is missing' }],
    })
  }
  const prefix = `${collection}/`
  const id = name.slice(prefix.length)
  if (name.startsWith(prefix) && id !== '' && !id.includes('/')) return id
  const message = `${JSON.stringify(name.slice(0, 200))} is not of the form ${prefix}ID`
  throw new RotaError('NAME_INVALID', `${field}: ${message}`, {
    hint: `Write it as ${prefix}ID.`,
    violations: [{ field, reason: 'NAME_INVALID', message }],
  })
}

/** A generated literal enum, e.g. `ExecutionState`. */
type LiteralEnum = Readonly<Record<string, number>>

/** `QUEUED` as its number from the word `queued`; the generated enum must have it. */
export function enumFromWord<E extends LiteralEnum>(type: E, word: string): E[keyof E] {
  const value = type[word.toUpperCase()]
  if (value === undefined) throw new TypeError(`no enum value ${word}`)
  return value as E[keyof E]
}

/** By their values; enums are few and live for ever. */
const wordsOf = new WeakMap<object, ReadonlyMap<unknown, string>>()

/** The word `queued` from its number; undefined for UNSPECIFIED and for numbers that this release does not know. */
export function wordFromEnum<E extends LiteralEnum>(
  type: E,
  value: number,
): Lowercase<Exclude<keyof E & string, 'UNSPECIFIED' | 'UNRECOGNIZED'>> | undefined {
  let words = wordsOf.get(type)
  if (words === undefined) {
    words = new Map(Object.entries(type).map(([name, each]) => [each, name.toLowerCase()]))
    wordsOf.set(type, words)
  }
  const word = words.get(value)
  if (word === undefined || word === 'unspecified' || word === 'unrecognized') return undefined
  return word as Lowercase<Exclude<keyof E & string, 'UNSPECIFIED' | 'UNRECOGNIZED'>>
}

/** Arrays as PostgreSQL reads them: the driver quotes every element, which for long columns costs more than all else. */

/** What an array literal takes without quotes: ids, words, times. */
const PLAIN = /^[\w:.+-]+$/
const YEAR_9999_MS = Date.parse('9999-12-31T23:59:59.999Z')
const YEAR_0001_MS = Date.parse('0001-01-01T00:00:00Z')

/** `{a,b,NULL}`; undefined for elements that are not plain, which are left to the driver. */
export function arrayLiteral(values: readonly unknown[]): string | undefined {
  let literal = '{'
  for (let index = 0; index < values.length; index++) {
    const element = elementOf(values[index])
    if (element === undefined) return undefined
    literal += index === 0 ? element : `,${element}`
  }
  return `${literal}}`
}

function elementOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return PLAIN.test(value) && !isNull(value) ? value : quote(value)
    case 'number':
    case 'bigint':
      return String(value)
    case 'boolean':
      return value ? 't' : 'f'
    case 'undefined':
      return 'NULL'
    default:
      if (value === null) return 'NULL'
      return value instanceof Date ? timeOf(value) : undefined
  }
}

function isNull(text: string): boolean {
  return text.length === 4 && text.toUpperCase() === 'NULL'
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** Years of four digits, in UTC. */
function timeOf(time: Date): string | undefined {
  const ms = time.getTime()
  return ms >= YEAR_0001_MS && ms <= YEAR_9999_MS ? time.toISOString() : undefined
}

/** The names of our statements for texts of pg_stat_statements, which keeps no comments. Pure. */

export interface NamedStatement {
  readonly name: string
  readonly matches: RegExp
  /** How much of the text is fixed: of two that match, the one with more wins. */
  readonly weight: number
}

/** `${...}`, with templates and braces within it. */
const PLACEHOLDER = /\$\{(?:[^{}`]|`[^`]*`|\{[^{}]*\})*\}/
const STATEMENT = new RegExp(`/\\* (\\w+) \\*/((?:${PLACEHOLDER.source}|[^\`])*)\``, 'g')
/** Constants are numbered parameters there, and a list of them is `$1 /*, ... *\/`. */
const WORD = '\\b(?:\\d+|null|true|false|epoch(?=\\s+from))\\b'
const CONSTANTS = listOf(`(?:'[^']*'|${WORD})`)
const SOME_CONSTANTS = `${listOf(`(?:\\$\\d+|'[^']*'|${WORD})`)}(?: /\\*, \\.\\.\\. \\*/)?`

function listOf(pattern: string): string {
  return `${pattern}(?:,\\s+${pattern})*`
}

function literal(text: string): string {
  return text.split(/\s+/).map(RegExp.escape).join('\\s+')
}

/** The statements of a source file: `/* name *\/ select ...` up to the end of its template. One that is put together is none. */
export function statementsOf(source: string): NamedStatement[] {
  return [...source.matchAll(STATEMENT)].flatMap(([, name = '', text = '']) => {
    const fixed = text.trim().split(PLACEHOLDER)
    if (fixed.every((part) => part.trim() === '')) return []
    const pattern = fixed.map((part) =>
      part.split(new RegExp(CONSTANTS)).map(literal).join(SOME_CONSTANTS),
    )
    const weight = fixed.reduce((sum, part) => sum + part.length, 0)
    const matches = new RegExp(`^\\s*${pattern.join('[^]*?')}\\s*$`)
    return [{ name, matches, weight }]
  })
}

/** Undefined when no statement of ours looks like it. */
export function nameStatement(query: string, known: readonly NamedStatement[]): string | undefined {
  return known.filter(({ matches }) => matches.test(query)).sort((a, b) => b.weight - a.weight)[0]
    ?.name
}

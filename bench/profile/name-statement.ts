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
/** Constants are numbered parameters there. */
const CONSTANT = /'[^']*'|\b\d+\b/
const SOME_CONSTANT = `(?:\\$\\d+|'[^']*'|\\d+)`

function literal(text: string): string {
  return text.split(/\s+/).map(RegExp.escape).join('\\s+')
}

/** The statements of a source file: `/* name *\/ select ...` up to the end of its template. */
export function statementsOf(source: string): NamedStatement[] {
  return [...source.matchAll(STATEMENT)].map(([, name = '', text = '']) => {
    const fixed = text.trim().split(PLACEHOLDER)
    const pattern = fixed.map((part) => part.split(CONSTANT).map(literal).join(SOME_CONSTANT))
    const weight = fixed.reduce((sum, part) => sum + part.length, 0)
    const matches = new RegExp(`^\\s*${pattern.join('[^]*?')}\\s*$`)
    return { name, matches, weight }
  })
}

/** Undefined when no statement of ours looks like it. */
export function nameStatement(query: string, known: readonly NamedStatement[]): string | undefined {
  return known.filter(({ matches }) => matches.test(query)).sort((a, b) => b.weight - a.weight)[0]
    ?.name
}

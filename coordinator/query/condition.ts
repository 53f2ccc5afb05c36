/**
 * The grammar that filters and label selectors share: terms joined by AND, OR and NOT, with parentheses. AIP-160 binds
 * OR tighter than AND, most languages the other way round; so AND beside OR without parentheses is refused.
 */

export type Condition<Term> =
  | { readonly kind: 'term'; readonly term: Term }
  /** `and` of nothing is always true. */
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition<Term>[] }
  | { readonly kind: 'not'; readonly item: Condition<Term> }

export interface SyntaxProblem {
  readonly kind: 'error'
  readonly message: string
  /** Character of the text at which the wrong part begins, from 1. */
  readonly position: number
  readonly hint: string
}

/** Reads a text from left to right, blanks skipped. */
export interface Scanner {
  /** What `pattern` (sticky) matches here; then the scanner is behind it. */
  take(pattern: RegExp): string | undefined
  /** Where the next token begins, from 1. */
  position(): number
  isAtEnd(): boolean
}

export interface Grammar<Term> {
  /** Longest text, in characters. */
  readonly lengthMax: number
  /** Shown with errors that have no hint of their own. */
  readonly hint: string
  readonly readTerm: (scanner: Scanner) => Term | SyntaxProblem
}

const DEPTH_MAX = 32

/** The condition that `text` says; undefined when it is blank. Never throws. */
export function parseCondition<Term extends object>(
  text: string,
  grammar: Grammar<Term>,
): Condition<Term> | SyntaxProblem | undefined {
  if (text.length > grammar.lengthMax) {
    return problem(grammar.lengthMax + 1, `is longer than ${grammar.lengthMax} characters`, grammar)
  }
  const scanner = createScanner(text)
  if (scanner.isAtEnd()) return undefined
  const condition = readJoined(scanner, grammar, 0)
  if (condition.kind === 'error' || scanner.isAtEnd()) return condition
  return problem(scanner.position(), 'expected AND, OR or the end', grammar)
}

function readJoined<Term extends object>(
  scanner: Scanner,
  grammar: Grammar<Term>,
  depth: number,
): Condition<Term> | SyntaxProblem {
  const first = readUnary(scanner, grammar, depth)
  if (first.kind === 'error') return first
  const items = [first]
  let joint: 'and' | 'or' | undefined
  for (;;) {
    const position = scanner.position()
    const word = takeKeyword(scanner, 'AND') ?? takeKeyword(scanner, 'OR')
    if (word === undefined) return joint === undefined ? first : { kind: joint, items }
    const kind = word === 'AND' ? 'and' : 'or'
    if (joint !== undefined && joint !== kind) {
      const message = 'AND and OR side by side need parentheses'
      return problem(position, message, { hint: 'Write a AND (b OR c), or (a AND b) OR c.' })
    }
    joint = kind
    const item = readUnary(scanner, grammar, depth)
    if (item.kind === 'error') return item
    items.push(item)
  }
}

function readUnary<Term extends object>(
  scanner: Scanner,
  grammar: Grammar<Term>,
  depth: number,
): Condition<Term> | SyntaxProblem {
  const position = scanner.position()
  if (depth > DEPTH_MAX) return problem(position, `is nested deeper than ${DEPTH_MAX}`, grammar)
  if (takeKeyword(scanner, 'NOT') !== undefined) {
    const item = readUnary(scanner, grammar, depth + 1)
    return item.kind === 'error' ? item : { kind: 'not', item }
  }
  if (scanner.take(/\(/y) !== undefined) {
    const inner = readJoined(scanner, grammar, depth + 1)
    if (inner.kind === 'error' || scanner.take(/\)/y) !== undefined) return inner
    return problem(scanner.position(), `the ( at ${position} is not closed`, grammar)
  }
  const term = grammar.readTerm(scanner)
  return isProblem(term) ? term : { kind: 'term', term }
}

/** True when reading ended in a problem. */
export function isProblem(value: object): value is SyntaxProblem {
  return Reflect.get(value, 'kind') === 'error'
}

/** `word` in capitals or not, but not the beginning of a longer one. */
export function takeKeyword(scanner: Scanner, word: string): string | undefined {
  return scanner.take(new RegExp(`${word}(?![\\w./-])`, 'iy')) === undefined ? undefined : word
}

/** A text in double or single quotes, `\` before a quote or another `\`; undefined when none begins here. */
export function takeQuoted(scanner: Scanner): string | undefined {
  const quoted = scanner.take(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy)
  return quoted?.slice(1, -1).replace(/\\(.)/gs, '$1')
}

export function problem(
  position: number,
  message: string,
  { hint }: { readonly hint: string },
): SyntaxProblem {
  return { kind: 'error', message, position, hint }
}

function createScanner(text: string): Scanner {
  let at = 0
  const skipBlanks = () => {
    while (at < text.length && /\s/.test(text.charAt(at))) at += 1
  }
  return {
    take(pattern) {
      skipBlanks()
      pattern.lastIndex = at
      const found = pattern.exec(text)?.[0]
      if (found !== undefined) at += found.length
      return found
    },
    position() {
      skipBlanks()
      return at + 1
    },
    isAtEnd() {
      skipBlanks()
      return at === text.length
    },
  }
}

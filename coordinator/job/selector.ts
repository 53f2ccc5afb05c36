/**
 * Label selectors: `region = eu AND NOT tier = canary`, `!=`, `IN (a, b)`, `NOT IN (a, b)`, `EXISTS key`. A label that is
 * not there equals nothing: `!=` and NOT IN match without it, as in Kubernetes.
 */
import {
  type Condition,
  type Grammar,
  isProblem,
  parseCondition,
  problem,
  type Scanner,
  type SyntaxProblem,
  takeKeyword,
  takeQuoted,
} from '../query/condition.ts'

type LabelTerm =
  | { readonly key: string; readonly operator: 'in' | 'not in'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'exists' }

export type Selector = Condition<LabelTerm>

export type SelectorReading = { readonly kind: 'ok'; readonly selector: Selector } | SyntaxProblem

type Labels = Readonly<Record<string, string>>

const GRAMMAR: Grammar<LabelTerm> = {
  lengthMax: 2_000,
  hint: 'Write it like region = eu AND NOT tier IN (canary, test).',
  readTerm,
}

/** Reads a selector; blank matches every worker. Never throws. */
export function parseSelector(text: string): SelectorReading {
  const selector = parseCondition(text, GRAMMAR)
  if (selector === undefined) return { kind: 'ok', selector: { kind: 'and', items: [] } }
  return selector.kind === 'error' ? selector : { kind: 'ok', selector }
}

export function matchesSelector(selector: Selector, labels: Labels): boolean {
  switch (selector.kind) {
    case 'term':
      return matchesTerm(selector.term, labels)
    case 'and':
      return selector.items.every((item) => matchesSelector(item, labels))
    case 'or':
      return selector.items.some((item) => matchesSelector(item, labels))
    case 'not':
      return !matchesSelector(selector.item, labels)
  }
}

function matchesTerm(term: LabelTerm, labels: Labels): boolean {
  const value = Object.hasOwn(labels, term.key) ? labels[term.key] : undefined
  if (term.operator === 'exists') return value !== undefined
  const isListed = value !== undefined && term.values.includes(value)
  return isListed === (term.operator === 'in')
}

function readTerm(scanner: Scanner): LabelTerm | SyntaxProblem {
  if (takeKeyword(scanner, 'EXISTS') !== undefined) {
    const key = readWord(scanner, 'a label')
    return typeof key === 'string' ? { key, operator: 'exists' } : key
  }
  const key = readWord(scanner, 'a label')
  if (typeof key !== 'string') return key
  const sign = scanner.take(/!=|==?/y)
  if (sign !== undefined) {
    const value = readWord(scanner, `a value for ${key.slice(0, 63)}`)
    const operator = sign === '!=' ? 'not in' : 'in'
    return typeof value === 'string' ? { key, operator, values: [value] } : value
  }
  const isNegated = takeKeyword(scanner, 'NOT') !== undefined
  if (takeKeyword(scanner, 'IN') === undefined) {
    return problem(scanner.position(), `expected =, != or IN after ${key.slice(0, 63)}`, GRAMMAR)
  }
  const values = readList(scanner, key)
  return isProblem(values) ? values : { key, operator: isNegated ? 'not in' : 'in', values }
}

function readList(scanner: Scanner, key: string): string[] | SyntaxProblem {
  if (scanner.take(/\(/y) === undefined) {
    return problem(scanner.position(), `expected ( and the values of ${key.slice(0, 63)}`, GRAMMAR)
  }
  const values: string[] = []
  do {
    const value = readWord(scanner, `a value for ${key.slice(0, 63)}`)
    if (typeof value !== 'string') return value
    values.push(value)
  } while (scanner.take(/,/y) !== undefined)
  if (scanner.take(/\)/y) !== undefined) return values
  return problem(
    scanner.position(),
    `expected , or ) after a value of ${key.slice(0, 63)}`,
    GRAMMAR,
  )
}

function readWord(scanner: Scanner, expected: string): string | SyntaxProblem {
  const word = takeQuoted(scanner) ?? scanner.take(/[\w./-]+/y)
  return word ?? problem(scanner.position(), `expected ${expected}`, GRAMMAR)
}

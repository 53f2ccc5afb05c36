/** A sentence word by word, with its place in what was written. */
import { nearNames } from '../../near-names.ts'
import { quote } from '../rule-problem.ts'
import { knownWords } from './words.ts'

/** What stops the reading of a sentence: it has a mistake, or several meanings. Thrown and caught within this folder. */
export class LanguageStop extends Error {
  readonly at: number
  readonly hint: string
  /** Texts that say each of the meanings; none for a mistake. */
  readonly readings: readonly string[]
  /** Where the part ends for which the readings stand; undefined: they are whole sentences. */
  readonly end: number | undefined

  constructor(
    message: string,
    details: {
      readonly at: number
      readonly hint?: string
      readonly readings?: readonly string[]
      readonly end?: number
    },
  ) {
    super(message)
    this.at = details.at
    this.readings = details.readings ?? []
    this.hint = details.hint ?? 'See docs/schedule-language.md for what can be said.'
    this.end = details.end
  }
}

interface Token {
  readonly text: string
  readonly at: number
}

const TOKEN =
  /\d{4}-\d{2}-\d{2}|\d{1,2}(?::\d{2}){1,2}(?:\s*[ap]\.?m\b\.?)?|:\d{2}|\d{1,2}\s*[ap]\.?m\b\.?|\d+\.\d+|\d+(?:st|nd|rd|th)\b|\d+|[a-z]+|[^\s]/g

/** Reads forward over the words; `the` and commas mean nothing by themselves. */
export class Tokens {
  readonly #tokens: readonly Token[]
  readonly #end: number
  #index = 0

  constructor(text: string) {
    const lower = text.toLowerCase()
    this.#tokens = [...lower.matchAll(TOKEN)]
      .map((match) => ({ text: match[0], at: match.index }))
      .filter(({ text: word }) => word !== 'the' && word !== '.')
    this.#end = text.trimEnd().length
  }

  get isAtEnd(): boolean {
    return this.#index >= this.#tokens.length
  }

  /** The next word, or one further on; blank behind the last. */
  peek(ahead = 0): string {
    return this.#tokens[this.#index + ahead]?.text ?? ''
  }

  /** Where the next word begins, from 0. */
  get at(): number {
    return this.#tokens[this.#index]?.at ?? this.#end
  }

  /** Where the word ends that was taken last. */
  get endOfLast(): number {
    const last = this.#tokens[this.#index - 1]
    return last === undefined ? 0 : last.at + last.text.length
  }

  next(): string {
    const word = this.peek()
    this.#index++
    return word
  }

  /** Takes the next word if it is one of these. */
  take(...words: readonly string[]): boolean {
    const isOne = words.includes(this.peek())
    if (isOne) this.#index++
    return isOne
  }

  /** Takes these words if all of them come next. */
  takeAll(...words: readonly string[]): boolean {
    const isAll = words.every((word, ahead) => this.peek(ahead) === word)
    if (isAll) this.#index += words.length
    return isAll
  }

  /** Takes a comma, `and` or both, if `isItem` then follows. */
  takeAnd(isItem: (word: string, ahead: number) => boolean): boolean {
    let ahead = 0
    while (['and', ',', '&', 'or'].includes(this.peek(ahead))) ahead++
    if (ahead === 0 || !isItem(this.peek(ahead), ahead)) return false
    this.#index += ahead
    return true
  }

  /** To be thrown: something is wrong with the next word. */
  stop(message: string, hint?: string): LanguageStop {
    return new LanguageStop(message, { at: this.at, ...(hint !== undefined && { hint }) })
  }

  /** To be thrown: the next word means nothing here. */
  stopUnknown(): LanguageStop {
    if (this.isAtEnd) return this.stop('the sentence ends too early')
    const word = this.peek()
    const [near] = /^[a-z]{3,}$/.test(word) ? nearNames(word, knownWords()) : []
    const hint = near === undefined || near === word ? undefined : `Did you mean "${near}"?`
    return this.stop(`${quote(word)} is not understood here`, hint)
  }
}

import type { Phrase } from './phrase.ts'
import { LanguageStop, type Tokens } from './tokens.ts'

/** What the readers of the parts of a sentence work with. */
export interface Reader {
  readonly tokens: Tokens
  readonly phrase: Phrase
  /** The date where the schedule lives. */
  readonly today: Temporal.PlainDate
}

type Single = 'frequency' | 'perDay' | 'window' | 'inMs' | 'day' | 'start'

/** Sets what a sentence can say only once. */
export function say<K extends Single>({ tokens, phrase }: Reader, key: K, value: Phrase[K]): void {
  if (phrase[key] !== undefined) {
    throw new LanguageStop('this does not fit to what was said before', {
      at: Math.max(0, tokens.endOfLast - 1),
      hint: 'Say one thing, or make two sentences with "and every".',
    })
  }
  phrase[key] = value
}

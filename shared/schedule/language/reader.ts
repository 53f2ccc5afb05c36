import type { Phrase } from './phrase.ts'
import type { Tokens } from './tokens.ts'

/** What the readers of the parts of a sentence work with. */
export interface Reader {
  readonly tokens: Tokens
  readonly phrase: Phrase
  /** The date where the schedule lives. */
  readonly today: Temporal.PlainDate
}

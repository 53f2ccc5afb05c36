/**
 * Natural language: a sentence becomes the text of a rule, once, when it is saved. What it may say is in
 * docs/schedule-language.md. Sentences with several meanings are refused, with a sentence for each of them.
 */
import { joinWords } from '../describe/words.ts'
import { readRules } from '../rule-text.ts'
import { compilePhrase } from './compile-phrase.ts'
import { readSentence } from './read-sentence.ts'
import { LanguageStop, Tokens } from './tokens.ts'

export type CompiledText =
  | { readonly kind: 'rule'; readonly compiled: string }
  | {
      readonly kind: 'ambiguous'
      readonly message: string
      readonly hint: string
      readonly readings: readonly string[]
    }
  | {
      readonly kind: 'problem'
      readonly message: string
      readonly hint: string
      /** Character of the text at which the wrong part begins, from 1. */
      readonly position: number
    }

export interface TextToCompile {
  readonly text: string
  readonly now: Date
  /** IANA name; blank for UTC. */
  readonly timeZone: string
}

const LENGTH_MAX = 500

/** Never throws; an unknown zone is taken for UTC, which validation refuses on its own. */
export function compileText(asked: TextToCompile): CompiledText {
  const compiled = compileOnce(asked)
  if (compiled.kind !== 'ambiguous') return compiled
  // A reading that has several meanings itself gives way to them: what the hint tells can be written.
  const readings = compiled.readings.flatMap((reading) => {
    const inner = compileOnce({ ...asked, text: reading })
    return inner.kind === 'ambiguous' ? inner.readings : [reading]
  })
  return { ...compiled, readings, hint: hintOf(readings) }
}

function compileOnce({ text, now, timeZone }: TextToCompile): CompiledText {
  if (text.trim() === '') return problem('is blank', 0)
  if (text.length > LENGTH_MAX)
    return problem(`is longer than ${LENGTH_MAX} characters`, LENGTH_MAX)
  try {
    const instant = Temporal.Instant.fromEpochMilliseconds(now.getTime())
    const moment = { now: instant, zone: timeZone || 'UTC' }
    const today = instant.toZonedDateTimeISO(moment.zone).toPlainDate()
    const tokens = new Tokens(text)
    const rules: string[] = []
    do rules.push(compilePhrase(readSentence(tokens, today), moment))
    while (!tokens.isAtEnd)
    return checkCompiled(rules.join('; '))
  } catch (error) {
    if (!(error instanceof LanguageStop)) throw error
    return stopped(error, text)
  }
}

function hintOf(readings: readonly string[]): string {
  return `Write ${joinWords(
    readings.map((reading) => JSON.stringify(reading)),
    'or',
  )}.`
}

function stopped({ message, hint, readings, at, end }: LanguageStop, text: string): CompiledText {
  if (readings.length === 0) return { ...problem(message, at), hint }
  const sentences = readings.map((reading) =>
    end === undefined ? reading : `${text.slice(0, at)}${reading}${text.slice(end)}`,
  )
  return {
    kind: 'ambiguous',
    message,
    hint: hintOf(sentences),
    readings: sentences,
  }
}

/** What the sentence says may be impossible: 31 February, an interval of a thousand days. */
function checkCompiled(compiled: string): CompiledText {
  const reading = readRules(compiled)
  if (reading.kind === 'rules') return { kind: 'rule', compiled }
  const message = `it would be ${JSON.stringify(compiled)}, which ${reading.message}`
  return { ...problem(message, 0), hint: reading.hint }
}

function problem(message: string, at: number): Extract<CompiledText, { kind: 'problem' }> {
  const hint = 'See docs/schedule-language.md for what can be said.'
  return { kind: 'problem', message, hint, position: at + 1 }
}

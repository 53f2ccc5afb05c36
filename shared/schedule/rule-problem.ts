/** What is wrong with the text of a rule, and where. */

export interface RuleProblem {
  readonly kind: 'problem'
  readonly message: string
  /** Character of the text at which the wrong part begins, from 1. */
  readonly position: number
  readonly hint: string
}

const HINT =
  'Use five fields (minute hour day month weekday), six with seconds first, or a macro such as @daily.'

/** `at` counts from 0. */
export function ruleProblem(message: string, at: number, hint: string = HINT): RuleProblem {
  return { kind: 'problem', message, position: at + 1, hint }
}

/** A piece of input, short enough to print. */
export function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}

/** A word of the text. */
export interface Word {
  readonly text: string
  /** Index within what the user wrote. */
  readonly at: number
}

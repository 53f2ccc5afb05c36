/** All invariants over one body of evidence. */
import type { Evidence } from '../evidence/evidence.ts'
import {
  atMostOneStart,
  attemptsInOrder,
  noOverlap,
  slotsAreNotExceeded,
  successWasSeen,
} from './attempt-invariants.ts'
import type { Invariant } from './invariant.ts'
import {
  everyLifeEnded,
  nothingIsLeft,
  nothingIsStuck,
  sizesAreBounded,
} from './rest-invariants.ts'
import {
  endsAreFinal,
  nothingAppearsOrVanishes,
  outputIsWhole,
  resultsAreKept,
  retriesFollowThePolicy,
  writesAreKept,
} from './result-invariants.ts'
import { everyDueTimeOnce, firesOnTime } from './schedule-invariants.ts'

export const INVARIANTS: readonly Invariant[] = [
  everyDueTimeOnce,
  firesOnTime,
  attemptsInOrder,
  noOverlap,
  atMostOneStart,
  successWasSeen,
  resultsAreKept,
  writesAreKept,
  endsAreFinal,
  nothingIsStuck,
  everyLifeEnded,
  slotsAreNotExceeded,
  nothingIsLeft,
  retriesFollowThePolicy,
  outputIsWhole,
  nothingAppearsOrVanishes,
  sizesAreBounded,
]

export interface Judgement {
  readonly invariant: Invariant
  readonly checked: number
  readonly violations: readonly string[]
}

/** Those that can be judged now; one that has looked at nothing is in violation itself. */
export function judge(evidence: Evidence): Judgement[] {
  return INVARIANTS.filter(({ needsQuiet }) => evidence.isQuiet || needsQuiet !== true).map(
    (invariant) => {
      const { checked, violations } = invariant.check(evidence)
      const blind = checked === 0 ? ['nothing was there to be checked'] : []
      return { invariant, checked, violations: [...violations, ...blind] }
    },
  )
}

/** `invariant 1, 2: what is wrong`, one line each. */
export function showViolations(judgements: readonly Judgement[]): string[] {
  return judgements.flatMap(({ invariant, violations }) =>
    violations.map((violation) => `invariant ${invariant.numbers.join(', ')}: ${violation}`),
  )
}

const SHOWN_MAX = 12

/** The first ones; where one thing is broken, a thousand are. */
export function shorten(problems: readonly string[]): string[] {
  const rest = problems.length - SHOWN_MAX
  return [...problems.slice(0, SHOWN_MAX), ...(rest > 0 ? [`... and ${rest} more`] : [])]
}

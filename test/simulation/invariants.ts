/** The numbers of failure-model.md, and which of them a simulation can check. */
export const CHECKED: Readonly<Record<number, string>> = {
  1: 'every due time has one decision',
  2: 'no early and no phantom fire',
  3: 'no late fire in quiet times',
  4: 'attempts without gaps, epochs rise',
  5: 'no overlap, no early end of a lease',
  6: 'AT_MOST_ONCE starts once',
  7: 'succeeded means a whole life with exit 0',
  8: 'acknowledged results are never lost',
  9: 'acknowledged API writes are never lost',
  10: 'legal moves, final states stay',
  11: 'a stale epoch is never accepted',
  12: 'only the owning session reports',
  13: 'nothing is stuck',
  14: 'slots and what a job allows at once are never exceeded',
  15: 'no process is left',
  16: 'attempts and backoff as the policy says',
  20: 'created is live or settled; all slots come back',
}

/** Left to the fault suite: output is not simulated, keys and audit are not in this release. */
export const NOT_SIMULATED: readonly number[] = [17, 18, 19]

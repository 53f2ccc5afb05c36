/**
 * The legal moves of an execution. Nothing else changes its state: each statement that moves executions says which of
 * these it is and names the states that it expects in its WHERE, from this table unless it walks a partial index.
 *
 *               +-> waiting ----+
 *    created ---+               v
 *               +-----------> queued <---- release ---- backoff
 *                               | claim                    ^
 *                            assigned -- requeue -> queued |
 *                               | start                    |
 *                            running --- retry ------------+
 *                               | settle
 *          succeeded | failed | cancelled | uncertain | skipped
 *
 * `restore` leads from any live state to running: the database has gone back, what it had forgotten is put right.
 */
import type { ExecutionState, LiveState } from './execution.ts'

interface Move {
  readonly from: readonly LiveState[]
  readonly to: readonly ExecutionState[]
}

export const MOVES = {
  /** Its time has come, or what it waited for is there. */
  release: { from: ['waiting', 'backoff'], to: ['queued'] },
  /** A free slot was found: a new attempt with a new epoch. */
  claim: { from: ['queued'], to: ['assigned'] },
  /** Refused, or never accepted: the attempt does not count. */
  requeue: { from: ['assigned'], to: ['queued'] },
  /** The agent says that the process runs. */
  start: { from: ['assigned'], to: ['running'] },
  /** After a failover of the database an agent still has the attempt whose assignment was lost. */
  restore: { from: ['waiting', 'queued', 'backoff', 'assigned', 'running'], to: ['running'] },
  /** The attempt ended and another one is allowed. */
  retry: { from: ['assigned', 'running'], to: ['backoff', 'queued'] },
  /** The execution ended. */
  settle: {
    from: ['waiting', 'queued', 'assigned', 'running', 'backoff'],
    to: ['succeeded', 'failed', 'cancelled', 'uncertain', 'skipped'],
  },
} as const satisfies Record<string, Move>

export type MoveName = keyof typeof MOVES

/** True when `move` may take an execution from `from` to `to`. */
export function isLegal(move: MoveName, from: ExecutionState, to: ExecutionState): boolean {
  const { from: sources, to: targets }: Move = MOVES[move]
  return sources.some((state) => state === from) && targets.some((state) => state === to)
}

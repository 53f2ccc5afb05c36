/**
 * Wake-ups between the steps of one coordinator. A hint says "look now"; every loop also looks by itself, so a lost hint
 * costs time, never work.
 */
export type Hint =
  | 'schedules'
  /** Schedules are over, and nothing more is due just now. */
  | 'endings'
  /** Something was queued, or may have been. */
  | 'queue'
  /** Slots are free, and nothing was queued. */
  | 'room'
  | 'dependencies'
  | 'overlap'
  | 'cancels'
  | 'logs'
  | 'executions'
  | 'recovery'
  | 'workers'

export interface Hints {
  give(hint: Hint): void
  /** Returns how to stop listening. */
  on(hint: Hint, listener: () => void): () => void
}

export function createHints(): Hints {
  const listeners = new Map<Hint, Set<() => void>>()
  return {
    give(hint) {
      for (const listener of listeners.get(hint) ?? []) listener()
    },
    on(hint, listener) {
      const set = listeners.get(hint) ?? new Set()
      listeners.set(hint, set.add(listener))
      return () => set.delete(listener)
    },
  }
}

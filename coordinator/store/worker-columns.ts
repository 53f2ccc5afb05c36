/** What several statements compute of a worker `w` in the same way. */
import { type RawBuilder, sql } from 'kysely'

/** What the agent says of its labels, then its join token, then operators: the later ones win, and may take one away. */
export const WORKER_LABELS: RawBuilder<Record<string, string>> = sql<
  Record<string, string>
>`jsonb_strip_nulls(w.agent_labels || w.granted_labels || w.operator_labels)`

/** What the agent offers, less what operators hold back. */
export const WORKER_SLOTS: RawBuilder<number> = sql<number>`least(w.slots, coalesce(w.slot_limit, w.slots))`

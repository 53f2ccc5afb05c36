/** Makes the partitions of the days ahead, drops those that are old, and forgets what is kept for a while only. */
import { Ticker } from '../../shared/ticker.ts'
import type { Deps } from '../deps.ts'
import {
  createPartition,
  deleteForgettable,
  deleteFromDefault,
  dropPartition,
  PARTITIONED,
  readPartitions,
} from './partition-queries.ts'
import { expiredPartitions, wantedPartitions } from './partitions.ts'

const LOOK_MS = 3_600_000

export function createRetentionLoop(deps: Deps, keepMs: number): Ticker {
  return new Ticker({
    ...deps,
    name: 'retention',
    retryMs: 60_000,
    runOnce: async () => {
      await keepPartitions(deps, keepMs)
      await deleteForgettable(deps.db, keepMs)
      return LOOK_MS
    },
  })
}

/** One look at all partitioned tables; also called before the first start, so that today's exist. */
export async function keepPartitions(deps: Deps, keepMs: number): Promise<void> {
  const now = deps.clock.now()
  for (const table of PARTITIONED) {
    const existing = await readPartitions(deps.db, table)
    for (const partition of wantedPartitions(table, now)) {
      if (existing.includes(partition.name)) continue
      await deps.db
        .transaction()
        .execute(async (tx) => createPartition(tx, { table, ...partition }))
    }
    for (const name of expiredPartitions(table, existing, { now, keepMs })) {
      await dropPartition(deps.db, name)
      deps.logger.info({ partition: name }, 'dropped what is older than the retention')
    }
    await deleteFromDefault(deps.db, table, keepMs)
  }
}

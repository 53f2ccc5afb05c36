import type { Clock } from '../shared/clock.ts'
import type { Logger } from '../shared/logger.ts'
import type { Random } from '../shared/random.ts'
import type { Database } from './store/database.ts'
import type { Hints } from './store/hints.ts'
import type { JobSpecs } from './store/job-specs.ts'

/** What every step is given; only main.ts and the tests make one. */
export interface Deps {
  readonly db: Database
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly hints: Hints
  readonly specs: JobSpecs
}

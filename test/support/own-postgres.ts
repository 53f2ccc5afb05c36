/** Started by a test: owns the embedded PostgreSQL of a data folder until it is killed. */
import { createEmbeddedPostgres } from '../../coordinator/store/embedded/embedded-postgres.ts'
import { systemClock } from '../../shared/clock.ts'
import { createLogger } from '../../shared/logger.ts'
import { systemRandom } from '../../shared/random.ts'

const [dataDir, systemFolder] = process.argv.slice(2)
if (dataDir === undefined || systemFolder === undefined)
  throw new Error('usage: DATA_DIR SYSTEM_FOLDER')
await createEmbeddedPostgres({
  dataDir,
  systemFolder,
  clock: systemClock,
  random: systemRandom,
  logger: createLogger({ name: 'own-postgres', level: 'error' }),
}).start()
process.stdout.write('started\n')
process.stdin.resume()

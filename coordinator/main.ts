/** The coordinator process: environment to config to compose to start, and signals to stop. */

import { writeCliContext } from '../shared/cli-context.ts'
import { systemClock } from '../shared/clock.ts'
import { coordinatorFiles } from '../shared/data-dir.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { createLogger, type Logger } from '../shared/logger.ts'
import { systemRandom } from '../shared/random.ts'
import { type Ambient, type Coordinator, composeCoordinator } from './compose.ts'
import { type CoordinatorConfig, readConfig } from './config.ts'
import { isDatabaseRefusal } from './store/database-errors.ts'
import { createEmbeddedPostgres } from './store/embedded/embedded-postgres.ts'

/** A stop that takes longer ends the process; leases and the journal of the agents cover it. */
const STOP_MS = 15_000

const EXIT_ERROR = 1
const EXIT_USAGE = 2

async function main(): Promise<void> {
  const reading = readConfig(process.argv.slice(2), process.env)
  if (reading.kind === 'help') return void process.stdout.write(reading.text)
  if (reading.kind === 'error') {
    process.stderr.write(`error: ${reading.message}\nhint:  ${reading.hint}\n`)
    process.exitCode = EXIT_USAGE
    return
  }
  const logger = createLogger({ name: 'rota-coordinator', level: reading.config.logLevel })
  try {
    await run({ clock: systemClock, random: systemRandom, logger }, reading.config)
  } catch (error) {
    explain(logger, error)
    process.exit(EXIT_ERROR)
  }
}

async function run(ambient: Ambient, config: CoordinatorConfig): Promise<void> {
  // Listened for from the beginning: a stop must also end a PostgreSQL that is just starting.
  const stopping = untilStopped()
  const postgres =
    config.databaseUrl === undefined
      ? createEmbeddedPostgres({ ...ambient, dataDir: config.dataDir })
      : undefined
  let coordinator: Coordinator | undefined
  const serve = async () => {
    await postgres?.start()
    const connection = config.databaseUrl ?? postgres?.connection
    if (connection === undefined) throw new Error('no database')
    coordinator = await composeCoordinator(ambient, config, connection)
    await coordinator.start()
    announce(ambient, config, coordinator)
  }
  try {
    const why = await Promise.race([serve(), stopping]).then(() => stopping)
    ambient.logger.info({ why }, 'stopping')
    ambient.clock.after(STOP_MS, () => process.exit(EXIT_ERROR))
  } finally {
    await coordinator?.stop()
    await postgres?.stop()
  }
  process.exit(0)
}

/** Tells whoever started us, and the CLI on this machine. */
function announce(ambient: Ambient, config: CoordinatorConfig, coordinator: Coordinator): void {
  const files = coordinatorFiles(config.dataDir)
  const grpcAddress = coordinator.grpcAddress()
  const httpAddress = coordinator.httpAddress()
  writeCliContext(files.context, {
    address: grpcAddress,
    caFile: files.caCertificate,
    tokenFile: files.adminToken,
    pid: process.pid,
  })
  process.stdout.write(`${JSON.stringify({ ready: true, grpcAddress, httpAddress })}\n`)
  ambient.logger.info({ grpcAddress, httpAddress }, 'serving')
}

/** Resolves when somebody wants us to stop: a signal, or the end of the process that forked us. */
function untilStopped(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal))
    process.on('disconnect', () => resolve('parent gone'))
  })
}

function explain(logger: Logger, error: unknown): void {
  const known = error instanceof RotaError ? error : databaseError(error)
  if (known === undefined) logger.fatal({ err: error }, 'the coordinator cannot start')
  else process.stderr.write(`error: ${known.message} [${known.reason}]\nhint:  ${known.hint}\n`)
}

/** Errors at the start that only mean that DATABASE_URL leads nowhere yet. */
function databaseError(error: unknown): RotaError | undefined {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (!(cause instanceof Error) || !isDatabaseRefusal(cause)) return undefined
  return new RotaError('DATABASE_UNAVAILABLE', `PostgreSQL: ${cause.message}`, {
    hint: 'Check DATABASE_URL: host, port, user, password, and that the database exists.',
    cause,
  })
}

await main()

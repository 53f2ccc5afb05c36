/** The coordinator's settings: options win over ROTA_* variables, these over defaults. Read once. */
import { parseArgs } from 'node:util'
import { resolveDataDir } from '../shared/data-dir.ts'
import { parseDurationMs } from '../shared/duration.ts'

export interface CoordinatorConfig {
  readonly dataDir: string
  /** Undefined: the embedded PostgreSQL of the data folder. */
  readonly databaseUrl: string | undefined
  readonly listen: string
  readonly grpcPort: number
  readonly httpPort: number
  /** Names and addresses under which agents reach this coordinator, for its certificate. */
  readonly advertise: readonly string[]
  readonly logLevel: string
  /** Length of a session's lease, L. */
  readonly leaseMs: number
  /** Settled executions, their output and the ledger are kept this long. */
  readonly retentionMs: number
  readonly agentCertificateMs: number
}

export type ConfigReading =
  | { readonly kind: 'ok'; readonly config: CoordinatorConfig }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'error'; readonly message: string; readonly hint: string }

export const HELP = `Usage: rota server start [options]

Serves the API and the agents, and schedules jobs. Without DATABASE_URL it runs a
PostgreSQL of its own in the data folder.

Options (each also as a variable, e.g. ROTA_GRPC_PORT)
  --data-dir DIR              default ~/.rota
  --grpc-port PORT            default 7420; 0 picks a free one
  --http-port PORT            default 7480; 0 picks a free one
  --listen ADDRESS            default 127.0.0.1; gRPC beyond loopback, HTTP stays there
  --advertise NAME[,NAME]     names and addresses under which agents reach it
  --lease DURATION            how long a silent agent keeps its work, default 12s
  --retention DURATION        how long history and output are kept, default 30d
  --agent-certificate-ttl D   default 30d; agents renew at half of it
  --log-level LEVEL           trace, debug, info (default), warn, error
  --help

Variables
  DATABASE_URL                use this PostgreSQL instead

Examples
  rota server start --data-dir /var/lib/rota-data
  DATABASE_URL=postgres://rota@db/rota rota server start --listen 10.0.0.5
`

const OPTIONS = {
  'data-dir': { type: 'string' },
  'grpc-port': { type: 'string' },
  'http-port': { type: 'string' },
  listen: { type: 'string' },
  advertise: { type: 'string' },
  lease: { type: 'string' },
  retention: { type: 'string' },
  'agent-certificate-ttl': { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean' },
} as const

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error']

class ConfigError extends Error {
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Never throws. */
export function readConfig(args: readonly string[], env: Environment): ConfigReading {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true })
    if (values.help === true) return { kind: 'help', text: HELP }
    const value = (name: Exclude<keyof typeof OPTIONS, 'help'>): string | undefined =>
      values[name] ?? (env[`ROTA_${name.toUpperCase().replaceAll('-', '_')}`] || undefined)
    return { kind: 'ok', config: toConfig(value, env) }
  } catch (error) {
    const hint = error instanceof ConfigError ? error.hint : 'See --help.'
    return { kind: 'error', message: error instanceof Error ? error.message : String(error), hint }
  }
}

function toConfig(
  value: (name: Exclude<keyof typeof OPTIONS, 'help'>) => string | undefined,
  env: Environment,
): CoordinatorConfig {
  return Object.freeze({
    dataDir: resolveDataDir(value('data-dir'), undefined),
    databaseUrl: readDatabaseUrl(env['DATABASE_URL']),
    listen: value('listen') ?? '127.0.0.1',
    grpcPort: readPort('--grpc-port', value('grpc-port') ?? '7420'),
    httpPort: readPort('--http-port', value('http-port') ?? '7480'),
    advertise: (value('advertise') ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
    logLevel: readLevel(value('log-level') ?? 'info'),
    leaseMs: readDuration('--lease', value('lease') ?? '12s', 1_000),
    retentionMs: readDuration('--retention', value('retention') ?? '30d', 3_600_000),
    agentCertificateMs: readDuration(
      '--agent-certificate-ttl',
      value('agent-certificate-ttl') ?? '30d',
      10_000,
    ),
  })
}

function readDatabaseUrl(url: string | undefined): string | undefined {
  if (url === undefined || url === '') return undefined
  if (/^postgres(ql)?:\/\/.+/.test(url)) return url
  throw new ConfigError(
    'DATABASE_URL is not the URL of a PostgreSQL database',
    'Write it like postgres://user:password@host:5432/database.',
  )
}

function readPort(option: string, text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new ConfigError(
    `${option} ${JSON.stringify(text)} is not a port`,
    'Give a number from 0 to 65535.',
  )
}

function readLevel(text: string): string {
  if (LOG_LEVELS.includes(text)) return text
  throw new ConfigError(
    `--log-level ${JSON.stringify(text)} is unknown`,
    `Give one of ${LOG_LEVELS.join(', ')}.`,
  )
}

function readDuration(option: string, text: string, minMs: number): number {
  const durationMs = parseDurationMs(text)
  if (durationMs !== undefined && durationMs >= minMs) return durationMs
  throw new ConfigError(
    `${option} ${JSON.stringify(text)} is not a duration of at least ${minMs / 1_000} s`,
    'Write durations like 12s, 90m or 30d.',
  )
}

/** The coordinator's settings: options win over ROTA_* variables, these over defaults. Read once. */
import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { parseArgs } from 'node:util'
import { resolveDataDir } from '../shared/data-dir.ts'
import { parseDurationMs } from '../shared/duration.ts'
import { parseClusterKey } from './identity/cluster-key.ts'
import { parseAddresses } from './store/addresses.ts'

/** A name or address under which agents reach this coordinator. */
export interface Advertised {
  readonly host: string
  /** Undefined: the gRPC port. */
  readonly port: number | undefined
}

export interface CoordinatorConfig {
  readonly dataDir: string
  /** Undefined: the embedded PostgreSQL of the data folder. */
  readonly databaseUrl: string | undefined
  readonly listen: string
  readonly grpcPort: number
  readonly httpPort: number
  /** The first is told to agents and to the other coordinators; all are in the certificate. */
  readonly advertise: readonly Advertised[]
  /** Undefined: the one of the data folder. Never logged. */
  readonly clusterKey: Buffer | undefined
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
  --advertise HOST[:PORT],... names and addresses under which agents reach it; the
                              first is told to them; default: the one of --listen
  --cluster-key-file FILE     the secret that all coordinators of a database share;
                              default cluster.key in the data folder, made at the
                              first start
  --lease DURATION            how long a silent agent keeps its work, default 12s
  --retention DURATION        how long history and output are kept, default 30d
  --agent-certificate-ttl D   default 30d; agents renew at half of it
  --log-level LEVEL           trace, debug, info (default), warn, error
  --help

Variables
  DATABASE_URL                use this PostgreSQL instead; several hosts, of which one is
                              the primary, are separated by commas
  ROTA_CLUSTER_KEY            the cluster key itself: 32 bytes, hex or base64

Any number of coordinators may serve one database: start each with the same
DATABASE_URL and the cluster.key of the first. Agents need to know one of them.

Examples
  rota server start --data-dir /var/lib/rota-data
  DATABASE_URL=postgres://rota@db/rota rota server start --listen 10.0.0.5
  DATABASE_URL=postgres://rota@db/rota rota server start --listen 0.0.0.0 \\
      --advertise two.example.net --cluster-key-file /etc/rota/cluster.key
`

const OPTIONS = {
  'data-dir': { type: 'string' },
  'grpc-port': { type: 'string' },
  'http-port': { type: 'string' },
  listen: { type: 'string' },
  advertise: { type: 'string' },
  'cluster-key-file': { type: 'string' },
  lease: { type: 'string' },
  retention: { type: 'string' },
  'agent-certificate-ttl': { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean' },
} as const

/** `[::1]:7420`, `rota.example.net`, `10.0.0.5:7420` */
const ADVERTISED = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?$/
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
    advertise: readAdvertised(value('advertise') ?? ''),
    clusterKey: readClusterKey(value('cluster-key-file'), env['ROTA_CLUSTER_KEY']),
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
  try {
    parseAddresses(url)
    return url
  } catch (error) {
    const why = error instanceof RangeError ? error.message : 'it is malformed'
    throw new ConfigError(
      `DATABASE_URL is not the URL of a PostgreSQL database: ${why}`,
      'Write it like postgres://user:password@host:5432/database; several hosts with commas.',
    )
  }
}

function readAdvertised(text: string): Advertised[] {
  const all = text.split(',').map((part) => part.trim())
  return all.filter(Boolean).map((part) => {
    if (isIPv6(part)) return { host: part, port: undefined }
    const [, bracketed, name, port] = ADVERTISED.exec(part) ?? []
    const host = bracketed ?? name
    if (host !== undefined && (bracketed === undefined || isIPv6(bracketed))) {
      return { host, port: port === undefined ? undefined : readPort('--advertise', port) }
    }
    throw new ConfigError(
      `--advertise ${JSON.stringify(part)} is not HOST or HOST:PORT`,
      'Write it like rota.example.net, rota.example.net:7420 or [2001:db8::1]:7420.',
    )
  })
}

/** Never repeats what it reads: it is a secret. */
function readClusterKey(
  file: string | undefined,
  variable: string | undefined,
): Buffer | undefined {
  const hint = 'It holds 32 bytes, as 64 hex digits or base64, e.g. of `openssl rand -hex 32`.'
  if (file === undefined && !variable) return undefined
  const name = file === undefined ? 'ROTA_CLUSTER_KEY' : `--cluster-key-file ${file}`
  const key = parseClusterKey(file === undefined ? (variable ?? '') : readKeyFile(file, hint))
  if (key === undefined) throw new ConfigError(`${name} is not a cluster key`, hint)
  return key
}

function readKeyFile(file: string, hint: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConfigError(`--cluster-key-file cannot be read (${reason})`, hint)
  }
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

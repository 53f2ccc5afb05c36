/** What the agent is told at its start: flags win over ROTA_* variables, these over what joining has stored. */
import { readFileSync } from 'node:fs'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { agentFiles, resolveDataDir } from '../shared/data-dir.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { isAddress } from './identity/address.ts'
import { readSettings } from './identity/settings.ts'
import { hostEnvironment } from './run/environment.ts'

export type AgentCommand = 'run' | 'join' | 'help'

export interface AgentConfig {
  readonly command: AgentCommand
  readonly dataDir: string
  /** `host:port` of each coordinator, tried in turn. */
  readonly coordinators: readonly string[]
  readonly workerName: string
  readonly capabilities: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Attempts that may run at once, counted in slots. */
  readonly slots: number
  /** Given once, for joining; never logged, never inherited by jobs. */
  readonly joinToken: string | undefined
  /** Folder of modules with handlers of the site's own. */
  readonly handlersDir: string | undefined
  /** Runs `shell` tasks. */
  readonly shell: string
  readonly logLevel: string
  /** What jobs may see of the agent's own environment. */
  readonly jobEnvironment: Readonly<Record<string, string>>
  /** V8's cache of compiled modules, shared with the warden: without it, it takes three times as long to start. */
  readonly compileCache: string | undefined
}

export const HELP = `Usage: rota agent run|join [options]

  run    join if this agent has no certificate yet, then take work until stopped
  join   join and exit

Options (and the variable that says the same)
  --data-dir DIR           where key, certificate, journal and attempts lie (ROTA_DATA_DIR; ~/.rota/agent)
  --coordinator HOST:PORT  several, comma-separated; others are heard of (ROTA_COORDINATOR; as joined)
  --name NAME              worker id (ROTA_WORKER_NAME; as joined, else the host name)
  --capabilities LIST      shell,script,api and any of your own, e.g. gpu (ROTA_CAPABILITIES; shell,script,api)
  --labels K=V,...         for job selectors (ROTA_LABELS)
  --slots N                attempts at once (ROTA_SLOTS; number of CPUs)
  --join-token-file FILE   token of \`rota token create\` (or the token itself in ROTA_JOIN_TOKEN)
  --handlers-dir DIR       modules with handlers of your own (ROTA_HANDLERS_DIR)
  --shell PATH             runs shell jobs (ROTA_SHELL; /bin/sh)
  --log-level LEVEL        trace, debug, info, warn, error (ROTA_LOG_LEVEL; info)
  --help

Commands run under a second process, the warden, which outlives the agent. SIGTERM and SIGHUP leave them to it, for a
restart or an upgrade: the next start takes them back, with results and output. SIGINT (Ctrl-C) ends them, and the
warden too. A warden without an agent keeps limits and leases, and ends when nothing runs any more. Handlers and api
calls run in the agent and end with it. Under systemd: KillMode=process, and Delegate=yes for a cgroup per attempt.
`

const OPTIONS = {
  'data-dir': { type: 'string' },
  coordinator: { type: 'string' },
  name: { type: 'string' },
  capabilities: { type: 'string' },
  labels: { type: 'string' },
  slots: { type: 'string' },
  'join-token-file': { type: 'string' },
  'handlers-dir': { type: 'string' },
  shell: { type: 'string' },
  'log-level': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
const SLOTS_MAX = 1_000
const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/
const CAPABILITY = /^[a-z0-9][a-z0-9._-]{0,62}$/
const LABEL_KEY = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$/
const LABEL_VALUE = /^[A-Za-z0-9._/-]{0,63}$/

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the whole configuration; throws RotaError at the first thing that cannot be used. */
export function readConfig(args: readonly string[], environment: Environment): AgentConfig {
  const { values, positionals } = parseFlags(args)
  const command = values.help ? 'help' : readCommand(positionals)
  const dataDir = readDataDir(values['data-dir'], environment['ROTA_DATA_DIR'])
  const settings = readSettings(agentFiles(dataDir).settings)
  const text = (flag: TextFlag, variable: string) =>
    values[flag] ?? (environment[variable] || undefined)
  return Object.freeze({
    command,
    dataDir,
    coordinators:
      command === 'help'
        ? []
        : readCoordinators(text('coordinator', 'ROTA_COORDINATOR') ?? settings?.coordinator),
    workerName: readName(text('name', 'ROTA_WORKER_NAME') ?? settings?.worker ?? nameOfHost()),
    capabilities: readCapabilities(text('capabilities', 'ROTA_CAPABILITIES')),
    labels: readLabels(text('labels', 'ROTA_LABELS')),
    slots: readSlots(text('slots', 'ROTA_SLOTS')),
    joinToken: readJoinToken(values['join-token-file'], environment['ROTA_JOIN_TOKEN']),
    handlersDir: text('handlers-dir', 'ROTA_HANDLERS_DIR'),
    shell: text('shell', 'ROTA_SHELL') ?? '/bin/sh',
    logLevel: readLogLevel(text('log-level', 'ROTA_LOG_LEVEL')),
    jobEnvironment: hostEnvironment(environment),
    compileCache: environment['NODE_COMPILE_CACHE'] || undefined,
  })
}

type TextFlag = Exclude<keyof typeof OPTIONS, 'help'>

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrong(reason, 'See `rota agent --help` for the flags.')
  }
}

function readCommand(positionals: readonly string[]): AgentCommand {
  const [command, ...others] = positionals
  if (others.length === 0 && (command === 'run' || command === 'join')) return command
  const said =
    command === undefined ? 'no command is given' : `unknown command ${positionals.join(' ')}`
  throw wrong(said, 'Use `rota agent run` or `rota agent join`.')
}

/** An agent's files lie beside those of other programs only when the folder was chosen for it. */
function readDataDir(option: string | undefined, variable: string | undefined): string {
  const folder = resolveDataDir(option, variable)
  return option === undefined && !variable ? join(folder, 'agent') : folder
}

function readCoordinators(text: string | undefined): readonly string[] {
  if (text === undefined) {
    throw wrong(
      'no coordinator is known',
      'Give --coordinator HOST:PORT, e.g. 127.0.0.1:7420; joining remembers it.',
    )
  }
  const addresses = splitList(text)
  const bad = addresses.find((address) => !isAddress(address))
  if (addresses.length > 0 && bad === undefined) return addresses
  throw wrong(
    `--coordinator: ${JSON.stringify(bad ?? text)} is not HOST:PORT`,
    'Write it like rota.example.com:7420 or [::1]:7420.',
  )
}

function readName(text: string): string {
  if (NAME.test(text)) return text
  throw wrong(
    `--name: ${JSON.stringify(text)} cannot be a worker id`,
    'Use up to 63 lower-case letters, digits, dots and hyphens, e.g. worker-3.',
  )
}

/** The host's name made into a worker id. */
function nameOfHost(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '')
  return name === '' ? 'worker' : name
}

function readCapabilities(text: string | undefined): readonly string[] {
  const capabilities = [...new Set(splitList(text ?? 'shell,script,api'))]
  const bad = capabilities.find((name) => !CAPABILITY.test(name))
  if (bad === undefined) return capabilities
  throw wrong(
    `--capabilities: ${JSON.stringify(bad)} cannot be a capability`,
    'Use lower-case words such as shell,script,api,gpu.',
  )
}

function readLabels(text: string | undefined): Readonly<Record<string, string>> {
  const pairs = splitList(text ?? '').map((pair) => {
    const [key = '', ...rest] = pair.split('=')
    return { pair, key, value: rest.join('='), hasValue: rest.length > 0 }
  })
  const bad = pairs.find(
    ({ key, value, hasValue }) => !hasValue || !LABEL_KEY.test(key) || !LABEL_VALUE.test(value),
  )
  if (bad === undefined) return Object.fromEntries(pairs.map(({ key, value }) => [key, value]))
  throw wrong(
    `--labels: ${JSON.stringify(bad.pair)} is not KEY=VALUE`,
    'Write them like region=eu,tier=canary; keys and values hold letters, digits and . _ / -.',
  )
}

function readSlots(text: string | undefined): number {
  if (text === undefined) return Math.min(availableParallelism(), SLOTS_MAX)
  const slots = /^\d+$/.test(text) ? Number(text) : 0
  if (slots >= 1 && slots <= SLOTS_MAX) return slots
  throw wrong(
    `--slots: ${JSON.stringify(text)} is not a whole number from 1 to ${SLOTS_MAX}`,
    'Say how many attempts may run at once, e.g. --slots 4.',
  )
}

function readJoinToken(file: string | undefined, variable: string | undefined): string | undefined {
  if (file === undefined) return variable?.trim() || undefined
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw wrong(
      `--join-token-file: cannot be read (${reason})`,
      'Give the file that holds the token of `rota token create`.',
    )
  }
}

function readLogLevel(text: string | undefined): string {
  const level = text ?? 'info'
  if (LOG_LEVELS.includes(level)) return level
  throw wrong(
    `--log-level: ${JSON.stringify(level)} is not a level`,
    `Use one of ${LOG_LEVELS.join(', ')}.`,
  )
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** What, why, hint: the process ends with exit code 2. */
function wrong(message: string, hint: string): RotaError {
  return new RotaError('FIELD_INVALID', message, { hint })
}

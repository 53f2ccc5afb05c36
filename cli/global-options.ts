/** The options that every command has, before or after the command's name. */
import { type Command, Option } from 'commander'
import { readDuration, readWord } from './option-values.ts'

const OUTPUT_FORMATS = ['table', 'wide', 'json', 'jsonl', 'yaml', 'name'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

export interface GlobalOptions {
  readonly output: OutputFormat
  readonly color: boolean
  /** How long one call may take, in ms. */
  readonly callTimeoutMs: number
  readonly address: string | undefined
  readonly caFile: string | undefined
  readonly tokenFile: string | undefined
  readonly dataDir: string | undefined
}

const CALL_TIMEOUT_MS = 10_000

const HEADING = 'Global options:'

interface RawOptions {
  readonly output?: OutputFormat
  readonly color?: boolean
  readonly timeout?: string
  readonly address?: string
  readonly caFile?: string
  readonly tokenFile?: string
  readonly dataDir?: string
}

/** Declares them on `command`; one that the command has for itself (`--timeout` of a job) stays its own. */
export function addGlobalOptions(command: Command): void {
  const own = new Set(command.options.map(({ long }) => long))
  for (const option of declareOptions()) {
    if (!own.has(option.long)) command.addOption(option.helpGroup(HEADING))
  }
}

/** The same on the program itself, where its help stays short: `rota -o json job list`. */
export function addProgramOptions(program: Command): void {
  for (const option of declareOptions()) program.addOption(option.hideHelp())
}

/** What was given for `command`, or before it; the command's own place wins. */
export function readGlobalOptions(command: Command): GlobalOptions {
  const inherited = command.parent?.parent ?? command.parent
  const outer: RawOptions = inherited?.opts() ?? {}
  const inner: RawOptions = command.opts()
  const timeout = hasOwnTimeout(command) ? outer.timeout : (inner.timeout ?? outer.timeout)
  return {
    output: inner.output ?? outer.output ?? 'table',
    color: inner.color !== false && outer.color !== false,
    callTimeoutMs: timeout === undefined ? CALL_TIMEOUT_MS : readDuration('--timeout', timeout),
    address: inner.address ?? outer.address,
    caFile: inner.caFile ?? outer.caFile,
    tokenFile: inner.tokenFile ?? outer.tokenFile,
    dataDir: inner.dataDir ?? outer.dataDir,
  }
}

/** The machine's format that `argv` asks for. Works where parsing failed, so that the error has that format too. */
export function machineFormat(argv: readonly string[]): 'json' | 'jsonl' | 'yaml' | undefined {
  for (const [index, argument] of argv.entries()) {
    const attached = /^(?:--output=|-o=?)(.+)$/.exec(argument)?.[1]
    const isFlag = argument === '-o' || argument === '--output'
    const format = attached ?? (isFlag ? argv[index + 1] : undefined)
    if (format === 'json' || format === 'jsonl' || format === 'yaml') return format
  }
  return undefined
}

/** The first argument that is a command's name, and the one after it: `job`, `list`. */
export function commandNames(argv: readonly string[]): string[] {
  const withValue = new Set(
    declareOptions()
      .filter((option) => option.required)
      .flatMap(({ short, long }) => [short, long]),
  )
  const names: string[] = []
  for (let index = 0; index < argv.length && names.length < 2; index++) {
    const argument = argv[index] ?? ''
    if (!argument.startsWith('-')) names.push(argument)
    else if (withValue.has(argument)) index++
  }
  return names
}

function declareOptions(): Option[] {
  return [
    new Option('-o, --output <format>', 'table, wide, json, jsonl, yaml or name').argParser(
      (text) => readWord('--output', text, OUTPUT_FORMATS),
    ),
    new Option('--address <host:port>', 'the coordinator (default: that of the data folder)'),
    new Option('--ca-file <path>', 'CA that its certificate must be signed by'),
    new Option('--token-file <path>', 'file that holds the bearer token'),
    new Option('--data-dir <path>', 'data folder of a coordinator here (default ~/.rota)'),
    new Option('--timeout <duration>', 'how long one call may take (default 10s)'),
    new Option('--no-color', 'no colours, also on a terminal'),
  ]
}

function hasOwnTimeout(command: Command): boolean {
  const option = command.options.find(({ long }) => long === '--timeout')
  return option !== undefined && option.helpGroupHeading !== HEADING
}

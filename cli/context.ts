/** Finds the coordinator: options, else environment, else what a coordinator on this host left in its data folder. */
import { readFileSync } from 'node:fs'
import { type CliContext, readCliContext } from '../shared/cli-context.ts'
import { coordinatorFiles, resolveDataDir } from '../shared/data-dir.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'
import { usageError } from './option-values.ts'

export interface Server {
  /** `host:port` of gRPC. */
  readonly address: string
  /** PEM of the CA. */
  readonly ca: Buffer
  readonly token: string
  /** What to try when it does not answer. */
  readonly unreachableHint: string
}

const PORT = 7420

type Settings = Pick<GlobalOptions, 'address' | 'caFile' | 'tokenFile' | 'dataDir'>

/**
 * Throws UNREACHABLE when nothing says where a coordinator is. A token is sent only to a server of the CA that came with it:
 * who names another CA must name the token too.
 */
export function findServer(host: Pick<Host, 'env'>, options: Settings): Server {
  const { env } = host
  const file = coordinatorFiles(resolveDataDir(options.dataDir, env['ROTA_DATA_DIR'])).context
  const context = readCliContext(file)
  const address = options.address ?? nonEmpty(env['ROTA_ADDRESS']) ?? context?.address
  if (address === undefined) throw nothingFound(file)
  const caFile = options.caFile ?? nonEmpty(env['ROTA_CA_FILE'])
  const tokenFile = options.tokenFile ?? nonEmpty(env['ROTA_TOKEN_FILE'])
  if (caFile !== undefined && tokenFile === undefined) throw missing('--token-file')
  return {
    address: readAddress(address),
    ca: readSetting('--ca-file', caFile ?? context?.caFile),
    token: readToken(tokenFile ?? context?.tokenFile),
    unreachableHint: unreachableHint(file, address === context?.address ? context : undefined),
  }
}

/** True when findServer would find an address; `rota version` asks before it loads gRPC. */
export function isServerKnown(host: Pick<Host, 'env'>, options: Settings): boolean {
  const file = coordinatorFiles(resolveDataDir(options.dataDir, host.env['ROTA_DATA_DIR'])).context
  const given = options.address ?? nonEmpty(host.env['ROTA_ADDRESS'])
  return given !== undefined || readCliContext(file) !== undefined
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** `host:port`, with the usual port where none is given. */
function readAddress(text: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text)
  if (match === null) {
    throw usageError(
      '--address',
      `${JSON.stringify(text)} is not an address`,
      'Write it as HOST:PORT, e.g. scheduler.example:7420 or [::1]:7420.',
    )
  }
  return `${match[1]}:${match[2] ?? PORT}`
}

function readToken(file: string | undefined): string {
  const token = readSetting('--token-file', file).toString('utf8').trim()
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw usageError('--token-file', `${file} holds no token`, 'It should hold one line of text.')
}

function readSetting(option: string, file: string | undefined): Buffer {
  if (file === undefined) throw missing(option)
  try {
    return readFileSync(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const hint =
      code === 'EACCES'
        ? 'It belongs to the user that started the coordinator. Run rota as that user.'
        : 'Check the path, or start the coordinator that makes the file.'
    throw usageError(option, `${file} cannot be read (${code})`, hint)
  }
}

function missing(option: string): RotaError {
  return usageError(
    option,
    'is missing',
    'A coordinator elsewhere needs --address, --ca-file and --token-file, or ROTA_ADDRESS, ROTA_CA_FILE and ROTA_TOKEN_FILE.',
  )
}

function nothingFound(file: string): RotaError {
  return new RotaError('UNREACHABLE', `no coordinator is known: there is no ${file}`, {
    hint: 'Start a development cluster with `npm start`. For a coordinator elsewhere give --address, --ca-file and --token-file.',
  })
}

function unreachableHint(file: string, context: CliContext | undefined): string {
  if (context === undefined) return 'Check --address, and that the coordinator runs.'
  return isAlive(context.pid)
    ? `Process ${context.pid} should serve it (${file}); it may still be starting.`
    : `The coordinator that wrote ${file} (process ${context.pid}) has ended. Start it again, e.g. with \`npm start\`.`
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** How the CLI finds a coordinator on the same machine: a small file that the coordinator or `rota dev` leaves. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

export interface CliContext {
  /** `host:port` of gRPC. */
  readonly address: string
  /** PEM file of the CA that signed the coordinator's certificate. */
  readonly caFile: string
  /** File that holds a bearer token, mode 0600. */
  readonly tokenFile: string
  /** Process that wrote the context; gone when it does not run any more. */
  readonly pid: number
}

/** Undefined when there is none, or it is damaged. */
export function readCliContext(file: string): CliContext | undefined {
  try {
    const context: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isCliContext(context) ? context : undefined
  } catch {
    return undefined
  }
}

/** Replaces the file in one step, so that a reader never sees half of it. */
export function writeCliContext(file: string, context: CliContext): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${context.pid}`
  writeFileSync(draft, `${JSON.stringify(context, null, 2)}\n`, { mode: 0o600 })
  renameSync(draft, file)
}

function isCliContext(value: unknown): value is CliContext {
  const texts = ['address', 'caFile', 'tokenFile']
  return (
    typeof value === 'object' &&
    value !== null &&
    texts.every((key) => typeof Reflect.get(value, key) === 'string') &&
    typeof Reflect.get(value, 'pid') === 'number'
  )
}

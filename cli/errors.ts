/** How every error leaves the CLI: lines for a person on stderr, `google.rpc.Status` for a program, and an exit code. */
import type { ServiceError } from '@grpc/grpc-js'
import { CommanderError } from 'commander'
import { errorDocs } from '../shared/errors/catalogue.ts'
import type { ErrorCode } from '../shared/errors/catalogue-entry.ts'
import { RotaError } from '../shared/errors/rota-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import type { MachineFormat } from './output/proto-json.ts'
import { escapeControls } from './output/text.ts'

const EXIT_CODES: Readonly<Record<ErrorCode, ExitCode>> = {
  INVALID_ARGUMENT: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  UNAUTHENTICATED: EXIT.notAllowed,
  PERMISSION_DENIED: EXIT.notAllowed,
  ALREADY_EXISTS: EXIT.conflict,
  ABORTED: EXIT.conflict,
  FAILED_PRECONDITION: EXIT.conflict,
  UNAVAILABLE: EXIT.unreachable,
  DEADLINE_EXCEEDED: EXIT.waitTimedOut,
  RESOURCE_EXHAUSTED: EXIT.error,
  UNIMPLEMENTED: EXIT.error,
  INTERNAL: EXIT.error,
}

export function exitCodeOf(error: RotaError): ExitCode {
  return EXIT_CODES[error.code]
}

/** Commander's own errors are wrong usage; anything else that is not ours is a mistake of ours. */
export function toRotaError(error: unknown): RotaError {
  if (error instanceof RotaError) return error
  if (error instanceof CommanderError) return usageErrorOf(error)
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return new RotaError('INTERNAL', message, {
    cause: error,
    hint: 'This is a mistake in the CLI. Please report it with these lines.',
  })
}

function usageErrorOf(error: CommanderError): RotaError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const guess = /\(Did you mean (.+?)\?\)/.exec(more.join(' '))?.[1]
  const hint =
    guess === undefined
      ? 'Add --help to see what the command takes.'
      : `Did you mean ${guess}?  All of them: add --help.`
  return new RotaError('FIELD_INVALID', first, { hint, cause: error })
}

/**
 * error: there is no job "bakcup"  [JOB_NOT_FOUND]
 * hint:  Did you mean backup?
 * docs:  docs/errors.md#job_not_found  request 01a1f836-...
 */
export async function renderError(error: RotaError): Promise<string> {
  const received = await receivedError(error)
  const request = received?.requestId === undefined ? '' : `  request ${received.requestId}`
  const reasons =
    error.violations.length < 2
      ? []
      : error.violations.map(({ field, message }) => `why:   ${field}: ${message}`)
  // A mistyped command needs no page that explains it.
  const isTyping = error.cause instanceof CommanderError
  const text = [
    `error: ${error.message}${isTyping ? '' : `  [${error.reason}]`}`,
    ...reasons,
    `hint:  ${error.hint}`,
    ...(isTyping ? [] : [`docs:  ${errorDocs(error.reason)}${request}`]),
    '',
  ].join('\n')
  return text.split('\n').map(escapeControls).join('\n')
}

/** The coordinator's own status as it came, else one made of what we know. */
export async function renderErrorStatus(error: RotaError, format: MachineFormat): Promise<string> {
  const [{ toRpcStatus }, { Status }, { renderMessage }] = await Promise.all([
    import('../shared/errors/rpc-status.ts'),
    import('../proto/gen/google/rpc/status.ts'),
    import('./output/proto-json.ts'),
  ])
  const received = await receivedError(error)
  const status =
    received === undefined || received.status.details.length === 0
      ? toRpcStatus(error, '')
      : received.status
  return renderMessage({ typeName: 'google.rpc.Status', codec: Status, message: status }, format)
}

async function receivedError(error: RotaError) {
  if (!isServiceError(error.cause)) return undefined
  const { fromServiceError } = await import('../shared/errors/rpc-status.ts')
  return fromServiceError(error.cause)
}

function isServiceError(cause: unknown): cause is ServiceError {
  return cause instanceof Error && 'code' in cause && 'metadata' in cause
}

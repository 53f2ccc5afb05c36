import type { ServiceError } from '@grpc/grpc-js'
import { CommanderError } from 'commander'
import { describe, expect, it } from 'vitest'
import { exitCodeOf, renderError, renderErrorStatus, toRotaError } from '../../../cli/errors.ts'
import type { ErrorReason } from '../../../shared/errors/catalogue.ts'
import { invalidRequest, RotaError } from '../../../shared/errors/rota-error.ts'
import { fromServiceError, toGrpcStatus } from '../../../shared/errors/rpc-status.ts'

/** An error as it arrives from the coordinator. */
function received(error: RotaError, requestId: string): RotaError {
  const status = toGrpcStatus(error, requestId)
  const serviceError: ServiceError = Object.assign(new Error(status.details), {
    code: status.code ?? 0,
    details: status.details ?? '',
    metadata: status.metadata,
  })
  return fromServiceError(serviceError).error
}

describe('exit codes', () => {
  it.each<readonly [ErrorReason, number]>([
    ['FIELD_INVALID', 2],
    ['CRON_INVALID', 2],
    ['JOB_NOT_FOUND', 3],
    ['TOKEN_INVALID', 4],
    ['PERMISSION_MISSING', 4],
    ['JOB_ALREADY_EXISTS', 5],
    ['ETAG_MISMATCH', 5],
    ['EXECUTION_FINISHED', 5],
    ['UNREACHABLE', 6],
    ['DATABASE_UNAVAILABLE', 6],
    ['WAIT_TIMED_OUT', 8],
    ['METHOD_UNAVAILABLE', 1],
    ['REQUEST_TOO_LARGE', 1],
    ['INTERNAL', 1],
  ])('%s ends with %i', (reason, exitCode) => {
    expect(exitCodeOf(new RotaError(reason, 'a message'))).toBe(exitCode)
  })
})

describe('an error on stderr', () => {
  it('says what, the hint, the docs and the request', async () => {
    const error = received(
      new RotaError('JOB_NOT_FOUND', 'there is no job "bakcup"', { hint: 'Did you mean backup?' }),
      '0198c5d2',
    )
    expect(await renderError(error)).toBe(
      [
        'error: there is no job "bakcup"  [JOB_NOT_FOUND]',
        'hint:  Did you mean backup?',
        'docs:  docs/errors.md#job_not_found  request 0198c5d2',
        '',
      ].join('\n'),
    )
  })

  it('lists every field when several are wrong', async () => {
    const error = invalidRequest([
      { field: 'job.spec.timeout', reason: 'FIELD_INVALID', message: 'is negative' },
      { field: 'job.spec.priority', reason: 'FIELD_INVALID', message: 'is above 100' },
    ])
    const text = await renderError(error)
    expect(text).toContain('error: job.spec.timeout: is negative (and 1 more)')
    expect(text).toContain(
      'why:   job.spec.timeout: is negative\nwhy:   job.spec.priority: is above 100\n',
    )
  })

  it('turns what commander says into the same form, with the guess as the hint', async () => {
    const error = toRotaError(
      new CommanderError(
        1,
        'commander.unknownCommand',
        "error: unknown command 'jbo'\n(Did you mean job?)",
      ),
    )
    expect(exitCodeOf(error)).toBe(2)
    expect(await renderError(error)).toBe(
      "error: unknown command 'jbo'\nhint:  Did you mean job?  All of them: add --help.\n",
    )
  })

  it('shows no control characters of others', async () => {
    const text = await renderError(new RotaError('FIELD_INVALID', 'bad \u001b[2J name'))
    expect(text).toContain('bad \\x1b[2J name')
  })

  it('owns up to a mistake of the CLI', async () => {
    const error = toRotaError(new TypeError('x is not a function'))
    expect(exitCodeOf(error)).toBe(1)
    expect(await renderError(error)).toContain('TypeError: x is not a function')
  })
})

describe('an error for a program', () => {
  it('is the status of the coordinator as it came', async () => {
    const error = received(new RotaError('JOB_NOT_FOUND', 'there is no job "x"'), 'request-1')
    const json = JSON.parse(await renderErrorStatus(error, 'json'))
    expect(json).toMatchObject({ code: 5, message: 'there is no job "x"' })
    expect(json.details[0]).toMatchObject({
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'JOB_NOT_FOUND',
      domain: 'rota.dev',
    })
    expect(json.details[1]).toMatchObject({ requestId: 'request-1' })
  })

  it('is made of what we know when nobody answered', async () => {
    const json = JSON.parse(
      await renderErrorStatus(new RotaError('UNREACHABLE', 'nobody'), 'jsonl'),
    )
    expect(json).toMatchObject({ code: 14, message: 'nobody' })
  })
})

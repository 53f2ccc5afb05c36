/** RotaError to and from `google.rpc.Status`, as AIP-193 (https://google.aip.dev/193) wants it on the wire. */
import { Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js'
import type { Any } from '../../proto/gen/google/protobuf/any.ts'
import {
  BadRequest,
  ErrorInfo,
  Help,
  RequestInfo,
  RetryInfo,
} from '../../proto/gen/google/rpc/error_details.ts'
import { Status } from '../../proto/gen/google/rpc/status.ts'
import { durationFromMs, durationToMs } from '../duration.ts'
import { CATALOGUE, ERROR_CODES, errorDocs, isErrorReason } from './catalogue.ts'
import { type FieldViolation, RotaError } from './rota-error.ts'

export const ERROR_DOMAIN = 'rota.dev'

/** gRPC carries the status in this trailer. */
const STATUS_TRAILER = 'grpc-status-details-bin'

/** Trailers are refused by peers above 8 KiB in total; what is beyond this many violations is only counted. */
const VIOLATIONS_MAX = 20

/** What the wire says of `error`; `requestId` finds it in the coordinator's log. */
export function toRpcStatus(error: RotaError, requestId: string): Status {
  const details = [
    pack('google.rpc.ErrorInfo', ErrorInfo, {
      reason: error.reason,
      domain: ERROR_DOMAIN,
      metadata: { ...error.metadata, hint: error.hint },
    }),
    pack('google.rpc.RequestInfo', RequestInfo, { requestId, servingData: '' }),
    pack('google.rpc.Help', Help, {
      links: [{ description: CATALOGUE[error.reason].title, url: errorDocs(error.reason) }],
    }),
  ]
  if (error.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(error.retryAfterMs)
    details.push(pack('google.rpc.RetryInfo', RetryInfo, { retryDelay }))
  }
  if (error.violations.length > 0) {
    details.push(
      pack('google.rpc.BadRequest', BadRequest, { fieldViolations: toFieldViolations(error) }),
    )
  }
  return { code: ERROR_CODES[error.code].grpc, message: error.message, details }
}

/** The same as a grpc-js status, to end a call with. */
export function toGrpcStatus(error: RotaError, requestId: string): StatusObject {
  const status = toRpcStatus(error, requestId)
  const metadata = new Metadata()
  metadata.set(STATUS_TRAILER, Buffer.from(Status.encode(status).finish()))
  // grpc-js encodes it as a URI, which throws for half a surrogate pair.
  return { code: status.code, details: status.message.toWellFormed(), metadata }
}

/** What a client makes of a failed call: the coordinator's own error, or what gRPC says of the connection. */
export interface ReceivedError {
  readonly error: RotaError
  readonly requestId: string | undefined
  /** The whole status, for `-o json`. */
  readonly status: Status
}

export function fromServiceError(serviceError: ServiceError): ReceivedError {
  const trailer = serviceError.metadata?.get(STATUS_TRAILER)[0]
  if (trailer === undefined || typeof trailer === 'string') return withoutDetails(serviceError)
  const status = Status.decode(trailer)
  const info = unpack(status.details, 'google.rpc.ErrorInfo', ErrorInfo)
  if (info === undefined || !isErrorReason(info.reason)) return withoutDetails(serviceError)
  const { hint, ...metadata } = info.metadata
  const violations =
    unpack(status.details, 'google.rpc.BadRequest', BadRequest)?.fieldViolations ?? []
  const retryDelay = unpack(status.details, 'google.rpc.RetryInfo', RetryInfo)?.retryDelay
  return {
    error: new RotaError(info.reason, status.message, {
      ...(hint === undefined ? {} : { hint }),
      metadata,
      ...(retryDelay === undefined ? {} : { retryAfterMs: durationToMs(retryDelay) }),
      violations: violations.map(fromFieldViolation),
      cause: serviceError,
    }),
    requestId: unpack(status.details, 'google.rpc.RequestInfo', RequestInfo)?.requestId,
    status,
  }
}

function withoutDetails(serviceError: ServiceError): ReceivedError {
  const code = Object.entries(ERROR_CODES).find(([, { grpc }]) => grpc === serviceError.code)?.[0]
  const reason = code === 'UNAVAILABLE' ? 'UNREACHABLE' : 'INTERNAL'
  const error = new RotaError(reason, serviceError.details, { cause: serviceError })
  return {
    error,
    requestId: undefined,
    status: { code: serviceError.code, message: serviceError.details, details: [] },
  }
}

function toFieldViolations(error: RotaError): BadRequest['fieldViolations'] {
  return error.violations.slice(0, VIOLATIONS_MAX).map((violation) => ({
    field: violation.field,
    description:
      violation.hint === undefined
        ? violation.message
        : `${violation.message} Hint: ${violation.hint}`,
    reason: violation.reason,
  }))
}

function fromFieldViolation(violation: BadRequest['fieldViolations'][number]): FieldViolation {
  const reason = isErrorReason(violation.reason) ? violation.reason : 'FIELD_INVALID'
  return { field: violation.field, reason, message: violation.description }
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(bytes: Uint8Array): T
  fromPartial(message: object): T
}

function pack<T>(typeName: string, codec: Codec<T>, message: object): Any {
  const value = Buffer.from(codec.encode(codec.fromPartial(message)).finish())
  return { typeUrl: `type.googleapis.com/${typeName}`, value }
}

function unpack<T>(details: readonly Any[], typeName: string, codec: Codec<T>): T | undefined {
  const any = details.find(({ typeUrl }) => typeUrl.endsWith(`/${typeName}`))
  return any === undefined ? undefined : codec.decode(any.value)
}

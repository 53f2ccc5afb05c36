/**
 * Every reason that Rota gives for an error or for the state of an execution: the one map to gRPC, HTTP and exit codes.
 * `docs/errors.md` is made from it (`npm run docs:errors`). A reason never changes its meaning.
 */
import type { CatalogueEntry, ErrorCode } from './catalogue-entry.ts'
import { EXECUTION_REASONS } from './execution-reasons.ts'

/** gRPC status numbers (https://grpc.io/docs/guides/status-codes/) and the HTTP status that goes with each. */
export const ERROR_CODES: Readonly<Record<ErrorCode, { grpc: number; http: number }>> = {
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504 },
  NOT_FOUND: { grpc: 5, http: 404 },
  ALREADY_EXISTS: { grpc: 6, http: 409 },
  PERMISSION_DENIED: { grpc: 7, http: 403 },
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429 },
  FAILED_PRECONDITION: { grpc: 9, http: 400 },
  ABORTED: { grpc: 10, http: 409 },
  UNIMPLEMENTED: { grpc: 12, http: 501 },
  INTERNAL: { grpc: 13, http: 500 },
  UNAVAILABLE: { grpc: 14, http: 503 },
  UNAUTHENTICATED: { grpc: 16, http: 401 },
}

export const CATALOGUE = {
  // What a request says.
  FIELD_REQUIRED: {
    code: 'INVALID_ARGUMENT',
    title: 'A required field is missing.',
    hint: 'Set the field named in the error.',
  },
  FIELD_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A field has a value that is not allowed.',
    hint: 'Correct the field named in the error; the message says what is allowed.',
  },
  FIELD_TOO_LONG: {
    code: 'INVALID_ARGUMENT',
    title: 'A field is longer than its limit.',
    hint: 'Shorten it. Long scripts can lie on the worker and be named by `path`.',
  },
  TEXT_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A text holds a NUL byte or broken Unicode, which PostgreSQL cannot store.',
    hint: 'Remove the NUL byte, or send the text as proper UTF-8.',
  },
  NAME_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A resource name is not well formed.',
    hint: 'Job ids are dot-separated segments of lower-case letters, digits and hyphens, e.g. `billing.nightly-report`.',
  },
  CRON_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A cron expression cannot be read.',
    hint: 'Use five fields (minute hour day month weekday), six with seconds first, or a macro such as @daily.',
  },
  TIME_ZONE_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A time zone is unknown.',
    hint: 'Use an IANA name such as Europe/Paris.',
  },
  SCHEDULE_TEXT_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A schedule in words cannot be read.',
    hint: 'See docs/schedule-language.md for what can be said, or write cron.',
  },
  SCHEDULE_AMBIGUOUS: {
    code: 'INVALID_ARGUMENT',
    title: 'A schedule in words has several meanings.',
    hint: 'Write one of the sentences in the error.',
  },
  SCHEDULE_NEVER_RUNS: {
    code: 'INVALID_ARGUMENT',
    title: 'The schedule has no due time in the future.',
    hint: 'Check `at`, `not_before`, `not_after` and dates that do not exist.',
  },
  ICS_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'An iCalendar file cannot be read.',
    hint: 'Correct the line named in the error; docs/time.md says what is read.',
  },
  BACKFILL_RANGE_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'The range of a backfill holds no time that a backfill can be for.',
    hint: 'Give a range that begins after the job was created and ends by now.',
  },
  BACKFILL_TOO_LARGE: {
    code: 'INVALID_ARGUMENT',
    title: 'The range of a backfill holds more than 10,000 due times.',
    hint: 'Split the range; each part may be asked for as soon as the one before is.',
  },
  RECOVERY_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A schedule cannot go on from the time that `recover_from` says.',
    hint: 'Give a time after the job was created and before now, with no more than 10,000 due times since.',
  },
  CAPABILITY_UNKNOWN: {
    code: 'INVALID_ARGUMENT',
    title: 'No worker has ever advertised this capability.',
    hint: 'See `rota worker list` for what the workers can do; start the agent that has it first.',
  },
  SELECTOR_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A label selector cannot be read.',
    hint: 'Write it like `region = eu AND NOT tier = canary`.',
  },
  DEPENDENCY_CYCLE: {
    code: 'INVALID_ARGUMENT',
    title: 'The dependencies would form a cycle.',
    hint: 'Remove one of the dependencies on the path in the message.',
  },
  FILTER_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A filter or order_by cannot be read.',
    hint: 'Write filters like `state = FAILED AND create_time > "2026-11-01T00:00:00Z"`.',
  },
  PAGE_TOKEN_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A page token is damaged, or belongs to another request.',
    hint: 'Start again without a page token; keep the other fields of the request the same between pages.',
  },
  UPDATE_MASK_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'The update mask names a field that does not exist or cannot be changed.',
    hint: 'Name fields such as `spec.schedule` or `description`.',
  },
  MESSAGE_MALFORMED: {
    code: 'INVALID_ARGUMENT',
    title: 'The message is not what the contract says.',
    hint: 'Generate the client from the proto files of this release.',
  },
  FEATURE_UNAVAILABLE: {
    code: 'UNIMPLEMENTED',
    title: 'This release does not have the feature yet.',
    hint: 'Leave the field out. Nothing was stored.',
  },
  SERVICE_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no service of this name to ask the health of.',
    hint: 'Leave the name out for the whole server, or see what reflection lists.',
  },
  METHOD_UNAVAILABLE: {
    code: 'UNIMPLEMENTED',
    title: 'The method is part of the contract, but this release does not have it yet.',
    hint: 'See `features` in `rota version -o json` for what there is.',
  },

  // What is there.
  JOB_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no job of this name.',
    hint: 'List jobs with `rota job list`.',
  },
  JOB_VERSION_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'The job has no version of this number.',
    hint: 'The versions of a job count from 1; the newest is in `rota job get`.',
  },
  JOB_ALREADY_EXISTS: {
    code: 'ALREADY_EXISTS',
    title: 'There is a job of this name already.',
    hint: 'Choose another name, or change it with `rota job update`.',
  },
  JOB_WITHOUT_SCHEDULE: {
    code: 'FAILED_PRECONDITION',
    title: 'The job has no schedule, so it has no due times.',
    hint: 'Run it with `rota job trigger`, or give it a schedule.',
  },
  JOB_HAS_DEPENDENTS: {
    code: 'FAILED_PRECONDITION',
    title: 'Other jobs depend on this job.',
    hint: 'Remove the dependency from the jobs named in the message first.',
  },
  JOB_HAS_NO_RUNS: {
    code: 'FAILED_PRECONDITION',
    title: 'The job has no scheduled run ahead.',
    hint: 'See its schedule and its state with `rota job get`.',
  },
  JOB_FROZEN: {
    code: 'FAILED_PRECONDITION',
    title: 'A freeze keeps the job from running, also by hand.',
    hint: 'Wait for its end, or end it: `rota freeze end`.',
  },
  CALENDAR_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no calendar of this name.',
    hint: 'List calendars with `rota calendar list`.',
  },
  CALENDAR_ALREADY_EXISTS: {
    code: 'ALREADY_EXISTS',
    title: 'There is a calendar of this name already.',
    hint: 'Choose another name, or change it with `rota calendar update`.',
  },
  CALENDAR_IN_USE: {
    code: 'FAILED_PRECONDITION',
    title: 'Schedules of jobs use this calendar.',
    hint: 'Take it out of the schedules of the jobs named in the message first.',
  },
  FREEZE_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no freeze of this name.',
    hint: 'List freezes with `rota freeze list`.',
  },
  FREEZE_ALREADY_EXISTS: {
    code: 'ALREADY_EXISTS',
    title: 'There is a freeze of this name already, or there was.',
    hint: 'Choose another name; the list shows those that are over, too.',
  },
  FREEZE_STATE_CONFLICT: {
    code: 'FAILED_PRECONDITION',
    title: 'The freeze is in a state in which that cannot be done.',
    hint: 'See its state with `rota freeze get`; one that is active is ended first: `rota freeze end`.',
  },
  OVERLAP_REFUSED: {
    code: 'FAILED_PRECONDITION',
    title:
      'As many executions of the job as it allows have not ended, and its overlap policy lets no more wait.',
    hint: 'Wait for the execution in the message, cancel it, or choose another `concurrency.overlap`.',
  },
  EXECUTION_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no execution of this id.',
    hint: 'List executions with `rota exec list`.',
  },
  EXECUTION_AMBIGUOUS: {
    code: 'INVALID_ARGUMENT',
    title: 'More than one execution begins with this id.',
    hint: 'Give more of the id.',
  },
  EXECUTION_FINISHED: {
    code: 'FAILED_PRECONDITION',
    title: 'The execution has ended already.',
    hint: 'Final states never change.',
  },
  WORKER_NOT_FOUND: {
    code: 'NOT_FOUND',
    title: 'There is no worker of this name.',
    hint: 'List workers with `rota worker list`.',
  },
  WORKER_ALREADY_EXISTS: {
    code: 'ALREADY_EXISTS',
    title: 'A worker of this name has joined already.',
    hint: 'Join with another --name, or make a token for that worker: `rota token create --worker NAME`.',
  },
  WORKER_STATE_CONFLICT: {
    code: 'FAILED_PRECONDITION',
    title: 'The worker is in a state in which that cannot be done.',
    hint: 'See its state with `rota worker get`; `rota worker release` makes it active again.',
  },
  WORKER_CONNECTED: {
    code: 'FAILED_PRECONDITION',
    title: 'The worker is connected, so it is not forgotten without force.',
    hint: 'Drain it and stop its agent, or delete it with --force.',
  },
  ETAG_MISMATCH: {
    code: 'ABORTED',
    title: 'Somebody changed it since it was read.',
    hint: 'Read it again, and apply the change to what it is now.',
  },
  REQUEST_ID_REUSED: {
    code: 'ALREADY_EXISTS',
    title: 'The request_id was used before for a different request.',
    hint: 'Use a new request_id for each new request, the same one only to send a request again.',
  },

  // Who asks.
  CREDENTIALS_MISSING: {
    code: 'UNAUTHENTICATED',
    title: 'The call carries no credentials.',
    hint: 'Send `authorization: Bearer TOKEN`; the CLI takes it from its context or ROTA_TOKEN_FILE.',
  },
  TOKEN_INVALID: {
    code: 'UNAUTHENTICATED',
    title: 'The token is unknown, expired, revoked or used up.',
    hint: 'Make a new one: `rota token create` for an agent.',
  },
  CERTIFICATE_INVALID: {
    code: 'UNAUTHENTICATED',
    title: 'The client certificate is expired, revoked or not of a known worker.',
    hint: 'Join again with a new token: `rota agent join`.',
  },
  PERMISSION_MISSING: {
    code: 'PERMISSION_DENIED',
    title: 'These credentials do not allow the call.',
    hint: 'Agents may call AgentService only; people and programs use a token.',
  },
  CSR_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'The certificate request cannot be read or its signature is wrong.',
    hint: 'Send a DER encoded PKCS #10 request with an ECDSA P-256 key.',
  },

  // The connection and the server.
  PROTOCOL_VIOLATION: {
    code: 'FAILED_PRECONDITION',
    title: 'The agent did not keep to the rules of the stream.',
    hint: 'Use an agent of the same release as the coordinator.',
  },
  AGENT_INCOMPATIBLE: {
    code: 'FAILED_PRECONDITION',
    title: 'Agent and coordinator have no protocol version in common.',
    hint: 'Update the older of the two.',
  },
  CLUSTER_KEY_MISSING: {
    code: 'FAILED_PRECONDITION',
    title: 'The database belongs to a cluster whose key this coordinator does not have.',
    hint: 'Copy `cluster.key` from the data folder of a running coordinator into its own, or set ROTA_CLUSTER_KEY.',
  },
  CLUSTER_KEY_WRONG: {
    code: 'FAILED_PRECONDITION',
    title: 'The cluster key of this coordinator is not the one of its database.',
    hint: 'Copy `cluster.key` from the data folder of a running coordinator over its own, or set ROTA_CLUSTER_KEY; check that DATABASE_URL names the right database.',
  },
  SCHEMA_TOO_NEW: {
    code: 'FAILED_PRECONDITION',
    title: 'A later release has changed the database in a way that this one cannot work with.',
    hint: 'Update this coordinator to the release of the others.',
  },
  SESSION_ENDED: {
    code: 'ABORTED',
    title: 'The session was replaced by a newer one of the same worker, or its lease ended.',
    hint: 'The agent reconnects by itself.',
  },
  RATE_LIMITED: {
    code: 'RESOURCE_EXHAUSTED',
    title: 'More calls or messages came than the coordinator takes from one caller.',
    hint: 'Wait as long as the error says, and call less often; several things can go in one batch call.',
  },
  OVERLOADED: {
    code: 'UNAVAILABLE',
    title: 'The coordinator has as much to do as it takes on at once.',
    hint: 'Try again after a moment, or through another coordinator. Agents do so by themselves.',
  },
  WORKER_QUARANTINED: {
    code: 'UNAVAILABLE',
    title: 'The agent broke the rules of the stream too often and is refused for a while.',
    hint: 'See why: `rota worker get`. Reinstall the agent, or delete the worker if its key was stolen.',
  },
  REQUEST_TOO_LARGE: {
    code: 'RESOURCE_EXHAUSTED',
    title: 'A message is larger than 1 MiB.',
    hint: 'Send less at once.',
  },
  DATABASE_UNAVAILABLE: {
    code: 'UNAVAILABLE',
    title: 'PostgreSQL does not answer.',
    hint: 'Try again; jobs that run go on meanwhile, and nothing acknowledged is lost.',
  },
  SHUTTING_DOWN: {
    code: 'UNAVAILABLE',
    title: 'The coordinator is stopping.',
    hint: 'Try again.',
  },
  UNREACHABLE: {
    code: 'UNAVAILABLE',
    title: 'The coordinator cannot be reached.',
    hint: 'Is it running? Start a development cluster with `npm start`, or give --address.',
  },
  WAIT_TIMED_OUT: {
    code: 'DEADLINE_EXCEEDED',
    title: 'The wait ended before the execution did.',
    hint: 'The execution goes on; wait again with `rota exec wait`.',
  },
  INTERNAL: {
    code: 'INTERNAL',
    title: 'Something went wrong inside Rota.',
    hint: 'Report it with the request id; the coordinator has logged the cause under it.',
  },

  ...EXECUTION_REASONS,
} as const satisfies Record<string, CatalogueEntry>

export type ErrorReason = keyof typeof CATALOGUE

export function isErrorReason(text: string): text is ErrorReason {
  return Object.hasOwn(CATALOGUE, text)
}

/** The docs page of a reason, relative to the repository. */
export function errorDocs(reason: ErrorReason): string {
  return `docs/errors.md#${reason.toLowerCase()}`
}

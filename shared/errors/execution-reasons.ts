/** Why an execution is in its state: the part of the catalogue that no call is refused with. */
import type { CatalogueEntry } from './catalogue-entry.ts'

export const EXECUTION_REASONS = {
  SCHEDULED_LATER: {
    code: 'FAILED_PRECONDITION',
    title: 'The execution waits for its start time.',
    hint: 'It is queued by itself when the time comes.',
  },
  OVERLAP: {
    code: 'FAILED_PRECONDITION',
    title: 'The execution waits until others of its job, or of its backfill, have ended.',
    hint: 'It is queued by itself when it is its turn. `rota exec list --job JOB` shows what is before it.',
  },
  OVERLAP_SKIPPED: {
    code: 'FAILED_PRECONDITION',
    title: 'The execution gave way to another one of its job before it began.',
    hint: 'The message names the other one. `concurrency.overlap` of the job decides: docs/time.md.',
  },
  DEPENDENCY: {
    code: 'FAILED_PRECONDITION',
    title: 'The execution waits for the jobs that its job depends on.',
    hint: 'It is queued by itself when they have completed.',
  },
  DEPENDENCY_FAILED: {
    code: 'FAILED_PRECONDITION',
    title: 'A job that this one depends on failed.',
    hint: 'Mend the dependency and trigger it again.',
  },
  NO_ELIGIBLE_WORKER: {
    code: 'FAILED_PRECONDITION',
    title: 'No connected worker has what the job needs.',
    hint: 'Compare `placement` of the job with `rota worker list`.',
  },
  NO_FREE_SLOT: {
    code: 'RESOURCE_EXHAUSTED',
    title: 'Every worker that can run it is busy.',
    hint: 'It starts by itself when a slot is free. Add workers or slots if that takes too long.',
  },
  WORKER_UNFIT: {
    code: 'FAILED_PRECONDITION',
    title: 'The worker does not have what the job needs.',
    hint: 'Compare `placement` of the job with `rota worker get`.',
  },
  WORKER_UNAVAILABLE: {
    code: 'UNAVAILABLE',
    title: 'The worker has what the job needs, but takes no work now.',
    hint: 'See why with `rota worker get`.',
  },
  WORKER_BUSY: {
    code: 'RESOURCE_EXHAUSTED',
    title: 'The worker has what the job needs, but no free slots.',
    hint: 'The execution starts when enough of them are free.',
  },
  EXIT_CODE: {
    code: 'FAILED_PRECONDITION',
    title: 'The command ended with an exit code other than 0.',
    hint: 'Read its output: `rota exec logs`.',
  },
  SIGNALLED: {
    code: 'FAILED_PRECONDITION',
    title: 'The command was ended by a signal.',
    hint: 'Read its output; SIGKILL often means that the host had no memory left.',
  },
  TIMEOUT: {
    code: 'DEADLINE_EXCEEDED',
    title: 'The attempt ran longer than the timeout of the job and was stopped.',
    hint: 'Raise `timeout`, or find out what takes so long.',
  },
  CANCELLED: {
    code: 'ABORTED',
    title: 'Somebody cancelled the execution.',
    hint: 'The message says who and why.',
  },
  START_FAILED: {
    code: 'FAILED_PRECONDITION',
    title: 'The command could not be started on the worker.',
    hint: 'Check the interpreter, the path and the working directory on that worker.',
  },
  HTTP_STATUS: {
    code: 'FAILED_PRECONDITION',
    title: 'The call was answered with a status that is not expected.',
    hint: 'Read the answer: `rota exec logs`.',
  },
  HTTP_FAILED: {
    code: 'FAILED_PRECONDITION',
    title: 'The call got no answer.',
    hint: 'Check the URL from that worker.',
  },
  HANDLER_FAILED: {
    code: 'FAILED_PRECONDITION',
    title: 'The handler ended with an error.',
    hint: 'Read its output: `rota exec logs`.',
  },
  TEMPLATE_INVALID: {
    code: 'INVALID_ARGUMENT',
    title: 'A template names something that does not exist.',
    hint: 'Known are {{execution}}, {{job}}, {{attempt}}, {{epoch}}, {{scheduled_for}} and {{parameters.NAME}}.',
  },
  OUTPUT_LIMIT: {
    code: 'RESOURCE_EXHAUSTED',
    title: 'The command wrote more output than the worker keeps on disk and was stopped.',
    hint: 'Write large results to a file of your own.',
  },
  LEASE_LOST: {
    code: 'UNAVAILABLE',
    title: 'The worker was lost while the attempt ran.',
    hint: 'The attempt is run again elsewhere while retries or its guarantee allow.',
  },
  DRAINED: {
    code: 'UNAVAILABLE',
    title: 'The worker was drained, and the deadline of the drain came while the attempt ran.',
    hint: 'The execution goes on elsewhere; this attempt counts against nothing. At most once: it rests as uncertain.',
  },
  REFUSED: {
    code: 'UNAVAILABLE',
    title: 'The worker would not take the attempt.',
    hint: 'It is given to another one.',
  },
  DEADLINE: {
    code: 'DEADLINE_EXCEEDED',
    title: 'The execution did not start within its start deadline.',
    hint: 'Raise `start_deadline`, or add workers.',
  },
} as const satisfies Record<string, CatalogueEntry>

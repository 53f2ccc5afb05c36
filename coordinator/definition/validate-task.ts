/** What a job does: shell, script, api or handler. */
import type { HandlerTask, ScriptTask, ShellTask, Task } from '../../proto/gen/rota/v1/job.ts'
import {
  checkContent,
  checkCount,
  checkLength,
  entryPath,
  refuseFeature,
  refuseUnless,
  show,
  violation,
} from '../../shared/errors/check-field.ts'
import type { FieldViolation } from '../../shared/errors/rota-error.ts'
import { validateApiTask } from './validate-api-task.ts'
import { checkHandler, type KnownFleet } from './validate-placement.ts'
import { validateStruct } from './validate-struct.ts'

const COMMAND_BYTES_MAX = 64 * 1_024
const SCRIPT_BYTES_MAX = 256 * 1_024
const PATH_BYTES_MAX = 4 * 1_024
const ARGS_MAX = 1_000
const ENV_MAX = 200
/** Together with what the agent adds it fits what Linux takes at the start of a process. */
const WORDS_BYTES_MAX = 128 * 1_024

export interface TaskContext {
  readonly fleet: KnownFleet
  /** Names of the parameters that the job declares. */
  readonly parameters: readonly string[]
}

export function validateTask(
  field: string,
  task: Task | undefined,
  { fleet, parameters }: TaskContext,
): FieldViolation[] {
  const kind = task?.kind
  switch (kind?.$case) {
    case undefined: {
      const hint = 'Give one of shell, script, api and handler.'
      return [violation(field, { reason: 'FIELD_REQUIRED', message: 'is missing', hint })]
    }
    case 'shell':
      return validateShell(`${field}.shell`, kind.value)
    case 'script':
      return validateScript(`${field}.script`, kind.value)
    case 'api':
      return validateApiTask(`${field}.api`, kind.value, parameters)
    case 'handler':
      return validateHandler(`${field}.handler`, kind.value, fleet)
    case 'workflow':
      return refuseFeature(true, `${field}.workflow`, 'A workflow')
  }
}

function validateShell(field: string, task: ShellTask): FieldViolation[] {
  return [
    ...checkContent(`${field}.command`, task.command, COMMAND_BYTES_MAX),
    ...validateProcess(field, task),
  ]
}

function validateScript(field: string, task: ScriptTask): FieldViolation[] {
  const { interpreter, args } = task
  return [
    ...validateSource(field, task.source),
    ...refuseUnless(/^[\w.+/-]{0,255}$/.test(interpreter), `${field}.interpreter`, {
      message: `${show(interpreter)} is not the name or path of a program`,
      hint: 'Write it like bash, python3 or /usr/bin/node.',
    }),
    ...checkCount(`${field}.args`, args, ARGS_MAX),
    ...checkBytes(`${field}.args`, args),
    ...validateProcess(field, task),
  ]
}

function validateSource(field: string, source: ScriptTask['source']): FieldViolation[] {
  switch (source?.$case) {
    case undefined: {
      const hint =
        'Give either `inline`, the script itself, or `path`, where it lies on the worker.'
      return [violation(field, { reason: 'FIELD_REQUIRED', message: 'has no source', hint })]
    }
    case 'inline':
      return checkContent(`${field}.inline`, source.value, SCRIPT_BYTES_MAX)
    case 'path':
      return checkContent(`${field}.path`, source.value, PATH_BYTES_MAX)
  }
}

function validateHandler(field: string, task: HandlerTask, fleet: KnownFleet): FieldViolation[] {
  if (task.handler === '') {
    return [violation(`${field}.handler`, { reason: 'FIELD_REQUIRED', message: 'is missing' })]
  }
  return [
    ...checkHandler(`${field}.handler`, task.handler, fleet),
    ...validateStruct(`${field}.payload`, task.payload),
  ]
}

/** What a shell command and a script have in common. */
function validateProcess(
  field: string,
  task: Pick<ShellTask, 'env' | 'workingDirectory' | 'runAs'>,
): FieldViolation[] {
  const { env, workingDirectory, runAs } = task
  const entries = Object.entries(env)
  return [
    ...checkCount(`${field}.env`, entries, ENV_MAX),
    ...checkBytes(`${field}.env`, entries.flat()),
    ...entries.slice(0, ENV_MAX).flatMap(([name]) => checkEnvName(`${field}.env`, name)),
    ...checkLength(`${field}.working_directory`, workingDirectory, PATH_BYTES_MAX),
    ...refuseUnless(/^(\/|$)/.test(workingDirectory), `${field}.working_directory`, {
      message: `${show(workingDirectory)} is no absolute path`,
      hint: 'Leave it out for a folder of its own, made for the attempt.',
    }),
    ...refuseUnless(runAs === '' || /^[A-Za-z_][\w.@-]{0,63}$/.test(runAs), `${field}.run_as`, {
      message: `${show(runAs)} is no user name`,
    }),
  ]
}

function checkEnvName(field: string, name: string): FieldViolation[] {
  const path = entryPath(field, name)
  return [
    ...refuseUnless(/^[A-Za-z_]\w{0,254}$/.test(name), path, {
      message: `${show(name)} is no name of an environment variable`,
      hint: 'Use letters, digits and _, no digit first.',
    }),
    ...refuseUnless(!name.startsWith('ROTA_'), path, {
      message: 'names beginning with ROTA_ belong to Rota',
    }),
  ]
}

function checkBytes(field: string, words: readonly string[]): FieldViolation[] {
  const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0)
  const message = `is longer than ${WORDS_BYTES_MAX / 1_024} KiB in total`
  return refuseUnless(bytes <= WORDS_BYTES_MAX, field, { reason: 'FIELD_TOO_LONG', message })
}

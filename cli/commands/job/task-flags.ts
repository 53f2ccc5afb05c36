/** What a job does: `--command`, `--script`, `--url`, `--handler` and the options of each. */
import {
  ApiTask,
  HandlerTask,
  ScriptTask,
  ShellTask,
  type Task,
} from '../../../proto/gen/rota/v1/job.ts'
import { NONE, readPairs, usageError, withoutNone } from '../../option-values.ts'
import { changeCall, type ReadText, readAtFile } from './call-flags.ts'
import type { JobFlags } from './flags.ts'
import { inferInterpreter } from './interpreter.ts'

type Kind = NonNullable<Task['kind']>

const CHOICES = ['command', 'script', 'url', 'handler'] as const
/** Which kinds of task know an option. */
const KINDS_OF_OPTION = {
  env: ['shell', 'script'],
  cwd: ['shell', 'script'],
  interpreter: ['script'],
  arg: ['script'],
  method: ['api'],
  header: ['api'],
  body: ['api'],
  expect: ['api'],
  followRedirects: ['api'],
  payload: ['handler'],
} as const satisfies Partial<Record<keyof JobFlags, readonly Kind['$case'][]>>

/**
 * The task after the options; undefined when none of them is given. Options that are not given keep what `base` says as
 * long as the kind stays the same.
 */
export async function changeTask(
  base: Kind | undefined,
  flags: JobFlags,
  readText: ReadText,
): Promise<Kind | undefined> {
  const start = await chooseKind(base, flags, readText)
  const extras = optionsGiven(flags)
  if (start === undefined) {
    if (extras[0] === undefined) return undefined
    throw usageError(
      optionName(extras[0]),
      'there is no task that it could be for',
      'Say what the job does with --command, --script, --url or --handler.',
    )
  }
  if (start === base && extras.length === 0) return undefined
  for (const option of extras) refuseForeign(option, start.$case)
  return applyOptions(start, flags, readText)
}

/** `--command` as a task: `script:PATH`, `http://` or `https://`, else a shell line. */
export function inferCommand(command: string): Kind {
  const path = /^script:(.*)$/s.exec(command)?.[1]?.trim()
  if (path !== undefined) {
    if (path !== '') {
      return script({ source: { $case: 'path', value: path } })
    }
    throw usageError(
      '--command',
      'script: names no path',
      'Write it as script:/path/on/the/worker.',
    )
  }
  if (/^https?:\/\//i.test(command)) return api({ url: command })
  return { $case: 'shell', value: ShellTask.fromPartial({ command }) }
}

async function chooseKind(
  base: Kind | undefined,
  flags: JobFlags,
  readText: ReadText,
): Promise<Kind | undefined> {
  const [choice, other] = CHOICES.filter((option) => flags[option] !== undefined)
  if (other !== undefined) {
    throw usageError(`--${other}`, `cannot be given with --${choice}`, 'A job does one thing.')
  }
  const chosen = await chosenKind(flags, readText)
  return chosen === undefined ? base : keepSettings(base, chosen)
}

async function chosenKind(flags: JobFlags, readText: ReadText): Promise<Kind | undefined> {
  if (flags.command !== undefined) return inferCommand(flags.command)
  if (flags.url !== undefined) return api({ url: flags.url })
  if (flags.handler !== undefined) {
    return { $case: 'handler', value: HandlerTask.fromPartial({ handler: flags.handler }) }
  }
  if (flags.script === undefined) return undefined
  const source = await readText('--script', flags.script)
  return script({
    source: { $case: 'inline', value: source },
    interpreter: flags.interpreter ?? inferInterpreter(flags.script, source),
  })
}

/** A new command of the same kind keeps environment, headers and the like. */
function keepSettings(base: Kind | undefined, chosen: Kind): Kind {
  switch (chosen.$case) {
    case 'shell':
      return base?.$case === 'shell'
        ? { $case: 'shell', value: { ...base.value, command: chosen.value.command } }
        : chosen
    case 'script': {
      if (base?.$case !== 'script') return chosen
      const { source, interpreter } = chosen.value
      return script({ ...base.value, source, interpreter })
    }
    case 'api':
      return base?.$case === 'api' ? api({ ...base.value, url: chosen.value.url }) : chosen
    case 'handler':
    case 'workflow':
      return chosen
  }
}

async function applyOptions(kind: Kind, flags: JobFlags, readText: ReadText): Promise<Kind> {
  switch (kind.$case) {
    case 'shell':
      return { $case: 'shell', value: { ...kind.value, ...surroundings(flags) } }
    case 'script': {
      const { interpreter, arg } = flags
      const args = arg === undefined ? {} : { args: withoutNone(arg) }
      const chosen = interpreter === undefined ? {} : { interpreter }
      return script({ ...kind.value, ...surroundings(flags), ...args, ...chosen })
    }
    case 'api':
      return api({ ...kind.value, ...(await changeCall(kind.value, flags, readText)) })
    case 'handler':
      if (flags.payload === undefined) return kind
      return {
        $case: 'handler',
        value: { ...kind.value, payload: await readPayload(flags.payload, readText) },
      }
    case 'workflow':
      return kind
  }
}

function surroundings({ env, cwd }: JobFlags) {
  return {
    ...(env === undefined ? {} : { env: readPairs('--env', withoutNone(env)) }),
    ...(cwd === undefined ? {} : { workingDirectory: cwd === NONE ? '' : cwd }),
  }
}

async function readPayload(text: string, readText: ReadText): Promise<Record<string, unknown>> {
  const json = await readAtFile('--payload', text, readText)
  const hint = 'Write a JSON object, e.g. \'{"durationMs": 500}\'.'
  let payload: unknown
  try {
    payload = JSON.parse(json)
  } catch (error) {
    throw usageError(
      '--payload',
      `is not JSON: ${String(error instanceof Error ? error.message : error)}`,
      hint,
    )
  }
  if (typeof payload === 'object' && payload !== null && !Array.isArray(payload))
    return { ...payload }
  throw usageError('--payload', 'is not a JSON object', hint)
}

function optionsGiven(flags: JobFlags): (keyof typeof KINDS_OF_OPTION)[] {
  const options = Object.keys(KINDS_OF_OPTION) as (keyof typeof KINDS_OF_OPTION)[]
  return options.filter((option) => flags[option] !== undefined)
}

function refuseForeign(option: keyof typeof KINDS_OF_OPTION, kind: Kind['$case']): void {
  const kinds: readonly string[] = KINDS_OF_OPTION[option]
  if (kinds.includes(kind)) return
  const hint = `It is for ${kinds.join(' and ')} tasks.`
  throw usageError(optionName(option), `does not go with a task of kind ${kind}`, hint)
}

function optionName(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function api(value: Partial<ApiTask>): Kind {
  return { $case: 'api', value: { ...ApiTask.fromPartial({}), ...value } }
}

function script(value: Partial<ScriptTask>): Kind {
  return { $case: 'script', value: { ...ScriptTask.fromPartial({}), ...value } }
}

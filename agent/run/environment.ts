/** The environment of a job: a short list from the host, what the task asks for, and what Rota tells it. Pure. */
import type { Assignment } from '../../proto/gen/rota/agent/v1/agent_service.ts'
import { parseResourceName } from '../../shared/wire.ts'
import { executionId } from '../report/attempt-ref.ts'

type Environment = Readonly<Record<string, string>>

/** All that a job gets from the agent's own environment; secrets of the agent are never inherited. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'SHELL', 'TMPDIR']
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The part of the agent's environment that jobs may see. */
export function hostEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Environment {
  const inherited = INHERITED.map((name) => [name, environment[name]] as const)
  const known = inherited.filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { PATH: DEFAULT_PATH, ...Object.fromEntries(known) }
}

/** Later ones win: host, task, ROTA_*. */
export function jobEnvironment(options: {
  readonly host: Environment
  readonly task: Environment
  readonly assignment: Assignment
  readonly outputFile: string
}): Environment {
  const { assignment, host, task, outputFile } = options
  return {
    ...host,
    ...task,
    ...parameterVariables(assignment),
    ...rotaVariables(assignment, outputFile),
  }
}

function rotaVariables(assignment: Assignment, outputFile: string): Environment {
  const { epoch, attempt, scheduledFor, parameters } = assignment
  return {
    // With ROTA_EPOCH the mark by which the warden finds what has left its process group.
    ROTA_EXECUTION: executionId(assignment),
    ROTA_JOB: jobId(assignment),
    ROTA_ATTEMPT: String(attempt),
    ROTA_EPOCH: epoch.toString(),
    ROTA_OUTPUT: outputFile,
    ROTA_PARAMETERS: JSON.stringify(parameters ?? {}),
    ...(scheduledFor === undefined ? {} : { ROTA_SCHEDULED_FOR: scheduledFor.toISOString() }),
  }
}

/** `ROTA_PARAM_DAY` for the parameter `day`: texts as they are, anything else as JSON. */
function parameterVariables({ parameters }: Assignment): Environment {
  return Object.fromEntries(
    Object.entries(parameters ?? {}).map(([name, value]) => [
      `ROTA_PARAM_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`,
      parameterText(value),
    ]),
  )
}

/** The bare id of the job. */
export function jobId({ job }: Assignment): string {
  return parseResourceName('jobs', job, 'job')
}

/** How a parameter reads in a variable or a template. */
export function parameterText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

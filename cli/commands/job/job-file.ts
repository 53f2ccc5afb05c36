/**
 * Job files: YAML or JSON whose content is the JSON form of `rota.v1.Job`. Every mistake is told with its line: unknown
 * fields with near names, values with what the field takes.
 */
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf'
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from 'yaml'
import { Job } from '../../../proto/gen/rota/v1/job.ts'
import { type FieldViolation, RotaError } from '../../../shared/errors/rota-error.ts'
import { loadRegistry, messageSchema } from '../../output/proto-json.ts'
import { checkJobFile } from './check-job-file.ts'

export interface JobFile {
  readonly job: Job
  /** Fields of the job that the file sets, by the names of the contract, e.g. `spec`. */
  readonly fields: readonly string[]
  /** Where a field stands, or what is nearest above it: `spec.schedule.recurrences[0]`. Both from 1. */
  readonly placeOf: (path: string) => FilePlace
}

export interface FilePlace {
  readonly line: number
  readonly column: number
}

/** `label` names the file in errors. Throws MESSAGE_MALFORMED with one violation per mistake. */
export function parseJobFile(text: string, label: string): JobFile {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
  })
  const malformedAt = (offset: number | undefined, message: string) => {
    const { line, col } = lines.linePos(offset ?? 0)
    return malformed(`${label}:${line}:${col}`, message)
  }
  refuse(document.errors.map(({ pos, message }) => malformedAt(pos[0], message)))
  if (!isMap(document.contents)) {
    refuse([malformedAt(0, 'is no job: it should begin with fields such as `spec:`')])
  }
  const json = toJson(document, label)
  const schema = messageSchema('rota.v1.Job')
  refuse(
    checkJobFile(schema, document).map(({ node, message }) =>
      malformedAt(node.range?.[0], message),
    ),
  )
  const fields = schema.fields.filter(({ name, jsonName }) => name in json || jsonName in json)
  const bytes = toBinary(schema, decode(schema, json, label))
  return {
    job: Job.decode(bytes),
    fields: fields.map(({ name }) => name),
    placeOf(path) {
      const { line, col } = lines.linePos(findField(document, path) ?? 0)
      return { line, column: col }
    },
  }
}

/** The offset of the deepest part of the path that is written. Names may be written as `time_zone` or `timeZone`. */
function findField(document: Document, path: string): number | undefined {
  let node: unknown = document.contents
  let offset: number | undefined
  for (const part of path.split(/[.[\]]+/).filter((each) => each !== '')) {
    if (isMap(node)) {
      const camel = part.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      const pair = node.items.find(
        ({ key }) => isScalar(key) && (key.value === part || key.value === camel),
      )
      if (!isScalar(pair?.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      if (!isNode(node)) break
      offset = node.range?.[0] ?? offset
    } else break
    if (isAlias(node)) node = node.resolve(document)
  }
  return offset
}

/** Refuses a file that grows without end by its aliases. */
function toJson(document: Document, label: string): Record<string, JsonValue> {
  try {
    return document.toJS()
  } catch (error) {
    throw refusal([malformed(label, messageOf(error))])
  }
}

/** What the checks pass should decode; what they overlooked is told without its line. */
function decode(schema: DescMessage, json: JsonValue, label: string) {
  try {
    return fromJson(schema, json, { registry: loadRegistry() })
  } catch (error) {
    throw refusal([malformed(label, messageOf(error))])
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function malformed(field: string, message: string): FieldViolation {
  return { field, reason: 'MESSAGE_MALFORMED', message }
}

function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw refusal(violations)
}

function refusal(violations: readonly FieldViolation[]): RotaError {
  const [first] = violations
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  return new RotaError('MESSAGE_MALFORMED', `${first?.field}: ${first?.message}${more}`, {
    violations,
    hint: 'A job file holds the fields of rota.v1.Job; see `rota job get NAME -o yaml` for one.',
  })
}

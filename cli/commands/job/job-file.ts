/**
 * Job files: YAML or JSON whose content is the JSON form of `rota.v1.Job`. Every mistake is told with its line: unknown
 * fields with near names, values with what the field takes.
 */
import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  toBinary,
} from '@bufbuild/protobuf'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml'
import { Job } from '../../../proto/gen/rota/v1/job.ts'
import { type FieldViolation, RotaError } from '../../../shared/errors/rota-error.ts'
import { nearNames } from '../../../shared/near-names.ts'
import { loadRegistry, messageSchema } from '../../output/proto-json.ts'

export interface JobFile {
  readonly job: Job
  /** Fields of the job that the file sets, by the names of the contract, e.g. `spec`. */
  readonly fields: readonly string[]
}

/** `label` names the file in errors. Throws MESSAGE_MALFORMED with one violation per mistake. */
export function parseJobFile(text: string, label: string): JobFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const position = (offset: number | undefined) => {
    const { line, col } = lines.linePos(offset ?? 0)
    return `${label}:${line}:${col}`
  }
  const broken = document.errors.map(({ message, pos }) => malformed(position(pos[0]), message))
  refuse(label, broken)
  const schema = messageSchema('rota.v1.Job')
  const root = document.contents
  if (!isMap(root)) {
    throw refusal(label, [
      malformed(`${label}:1:1`, 'is no job: it should begin with fields such as `spec:`'),
    ])
  }
  const found: Mistake[] = []
  checkMessage(schema, root, { path: '', resolve: (node) => resolve(node, document), found })
  refuse(
    label,
    found.map(({ node, message }) => malformed(position(node.range?.[0]), message)),
  )
  const json = document.toJS() as Record<string, JsonValue>
  const message = decode(schema, json, label)
  const fields = schema.fields.filter(({ name, jsonName }) => name in json || jsonName in json)
  return { job: Job.decode(toBinary(schema, message)), fields: fields.map(({ name }) => name) }
}

/** What the checks pass should decode; what they overlooked is told without its line. */
function decode(schema: DescMessage, json: JsonValue, label: string) {
  try {
    return fromJson(schema, json, { registry: loadRegistry() })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw refusal(label, [malformed(label, message)])
  }
}

interface Mistake {
  readonly node: Node
  readonly message: string
}

interface Check {
  /** Where we are, e.g. `spec.schedule.recurrences[0]`. */
  readonly path: string
  readonly resolve: (node: unknown) => unknown
  readonly found: Mistake[]
}

function checkMessage(schema: DescMessage, node: unknown, check: Check): void {
  const map = check.resolve(node)
  if (!isMap(map)) checkValue(schema, undefined, node, check)
  else {
    for (const pair of map.items) checkField(schema, pair, check)
    checkOneofs(schema, map, check)
  }
}

/** Of the fields of a oneof only one may be set. */
function checkOneofs(schema: DescMessage, map: YAMLMap, check: Check): void {
  for (const oneof of schema.oneofs) {
    const names = new Set(oneof.fields.flatMap(({ name, jsonName }) => [name, jsonName]))
    const [first, second] = map.items
      .map(({ key }) => key)
      .filter((key) => isScalar(key) && names.has(String(key.value)))
    if (!isScalar(first) || !isScalar(second)) continue
    const place = check.path === '' ? '' : `${check.path}: `
    const message = `${place}${second.value} cannot stand beside ${first.value}: only one may be set`
    check.found.push({ node: second, message })
  }
}

function checkField(schema: DescMessage, pair: Pair, check: Check): void {
  const { key, value } = pair
  if (!isScalar(key)) {
    check.found.push({ node: key as Node, message: 'a field is named by a word' })
    return
  }
  if (value === null) return
  const name = String(key.value)
  const path = check.path === '' ? name : `${check.path}.${name}`
  const field = schema.fields.find((each) => each.name === name || each.jsonName === name)
  if (field === undefined) {
    check.found.push({ node: key, message: unknownField(schema, name, check.path) })
    return
  }
  const inner = { ...check, path }
  const content = check.resolve(value)
  const nested = nestedMessage(field)
  if (nested === undefined) checkValue(schema, field, value, inner)
  else if (field.fieldKind === 'list' && isSeq(content)) {
    for (const [index, item] of content.items.entries()) {
      checkMessage(nested, item, { ...inner, path: `${path}[${index}]` })
    }
  } else if (field.fieldKind === 'message' && isMap(content)) checkMessage(nested, content, inner)
  else checkValue(schema, field, value, inner)
}

/** The message type that a field's values are written as maps of; not those with a JSON form of their own. */
function nestedMessage(field: DescField): DescMessage | undefined {
  const isNested = field.fieldKind === 'message' || field.fieldKind === 'list'
  const message = isNested ? field.message : undefined
  return message?.typeName.startsWith('google.protobuf.') ? undefined : message
}

/** Lets the decoder itself judge one field, so that its rules and ours are the same. */
function checkValue(
  schema: DescMessage,
  field: DescField | undefined,
  node: unknown,
  check: Check,
): void {
  const content = check.resolve(node) as Node
  const value = content.toJSON() as JsonValue
  const json = field === undefined ? value : { [field.jsonName]: value }
  try {
    fromJson(schema, json, { registry: loadRegistry() })
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    check.found.push({ node: content, message: `${check.path}: ${explainValue(cause, field)}` })
  }
}

/** What the decoder says, without the type names that it begins with, and what would be right. */
function explainValue(cause: string, field: DescField | undefined): string {
  const detail = /^cannot decode .*? from JSON:? ?(.*)$/s.exec(cause)?.[1] ?? cause
  const isBareValue = /^("|Array|\d|true|false|object)/.test(detail)
  const problem = isBareValue ? `${detail} is not what belongs here` : detail
  const advice = detail.startsWith('expected string') ? 'Put it in quotes' : adviceFor(field)
  return advice === '' ? problem : `${problem}. ${advice}`
}

function adviceFor(field: DescField | undefined): string {
  if (field === undefined) return 'Write its fields below it'
  if (field.enum !== undefined) {
    const names = field.enum.values.slice(1).map(({ name }) => name)
    return `Known are ${names.join(', ')}`
  }
  switch (field.message?.typeName) {
    case 'google.protobuf.Duration':
      return 'Write seconds, e.g. 90s or 0.5s'
    case 'google.protobuf.Timestamp':
      return 'Write RFC 3339, e.g. 2026-11-30T22:15:00Z'
    case 'google.protobuf.Struct':
      return 'Write names and values below it'
    default:
      return ''
  }
}

function unknownField(schema: DescMessage, name: string, path: string): string {
  const known = schema.fields.map(({ jsonName }) => jsonName)
  const near = nearNames(name, known)
  const place = path === '' ? 'a job' : path
  const advice =
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `It has ${known.join(', ')}.`
  return `unknown field ${JSON.stringify(name)} in ${place}. ${advice}`
}

function resolve(node: unknown, document: ReturnType<typeof parseDocument>): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

function malformed(field: string, message: string): FieldViolation {
  return { field, reason: 'MESSAGE_MALFORMED', message }
}

function refuse(label: string, violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw refusal(label, violations)
}

function refusal(label: string, violations: readonly FieldViolation[]): RotaError {
  const [first] = violations
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : ''
  return new RotaError('MESSAGE_MALFORMED', `${first?.field ?? label}: ${first?.message}${more}`, {
    violations,
    hint: 'A job file holds the fields of rota.v1.Job; see `rota job get NAME -o yaml` for one.',
  })
}

/** Looks at every field of a job file, so that each mistake is told with its place and with what would be right. */
import { type DescField, type DescMessage, fromJson, type JsonValue } from '@bufbuild/protobuf'
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml'
import { nearNames } from '../../../shared/near-names.ts'
import { loadRegistry } from '../../output/proto-json.ts'

export interface Mistake {
  readonly node: Node
  readonly message: string
}

/** No field lies deeper, in characters of its path: a file may contain itself by an alias. */
const PATH_LENGTH_MAX = 1_000

interface Check {
  /** Where we are, e.g. `spec.schedule.recurrences[0]`. */
  readonly path: string
  readonly document: Document
  readonly found: Mistake[]
}

/** Mistakes of a document whose root should be a message of `schema`, in the order of the file. */
export function checkJobFile(schema: DescMessage, document: Document): Mistake[] {
  const found: Mistake[] = []
  checkMessage(schema, document.contents, { path: '', document, found })
  return found
}

function checkMessage(schema: DescMessage, node: unknown, check: Check): void {
  const map = resolve(node, check.document)
  if (!isMap(map)) checkValue({ schema }, node, check)
  else if (check.path.length > PATH_LENGTH_MAX) {
    check.found.push({ node: map, message: `${check.path.slice(0, 40)}...: is nested too deep` })
  } else {
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
  const content = resolve(value, check.document)
  const nested = nestedMessage(field)
  if (nested === undefined) checkValue({ schema, field }, value, inner)
  else if (field.fieldKind === 'list' && isSeq(content)) {
    for (const [index, item] of content.items.entries()) {
      checkMessage(nested, item, { ...inner, path: `${path}[${index}]` })
    }
  } else if (field.fieldKind === 'message' && isMap(content)) checkMessage(nested, content, inner)
  else checkValue({ schema, field }, value, inner)
}

/** The message type that a field's values are written as maps of; not those with a JSON form of their own. */
function nestedMessage(field: DescField): DescMessage | undefined {
  const isNested = field.fieldKind === 'message' || field.fieldKind === 'list'
  const message = isNested ? field.message : undefined
  return message?.typeName.startsWith('google.protobuf.') ? undefined : message
}

/** Lets the decoder itself judge one field, so that its rules and ours are the same. */
function checkValue(
  { schema, field }: { readonly schema: DescMessage; readonly field?: DescField },
  node: unknown,
  check: Check,
): void {
  const content = resolve(node, check.document) as Node
  const value = content.toJS(check.document) as JsonValue
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

function resolve(node: unknown, document: Document): unknown {
  return isAlias(node) ? node.resolve(document) : node
}

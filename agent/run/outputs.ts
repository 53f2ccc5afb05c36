/** What a job gives back: lines `key=value`, blocks `key<<END` or one JSON object in `$ROTA_OUTPUT`; or what a handler returns. */
import { constants, lstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Struct } from '../../proto/gen/google/protobuf/struct.ts'
import type { Outputs } from './task-end.ts'

/** Of the file, in bytes. */
const FILE_BYTES_MAX = 256 * 1024
/** As a message; with the rest of the report it stays below 256 KiB. */
const STRUCT_BYTES_MAX = 240 * 1024
/** Readers of google.protobuf.Struct refuse deeper ones. */
const DEPTH_MAX = 32
const KEY = /^[A-Za-z_][A-Za-z0-9_.-]{0,127}$/

export type OutputsRead =
  | { readonly kind: 'outputs'; readonly outputs: Outputs | undefined }
  /** The attempt keeps its outcome; the message says this. */
  | { readonly kind: 'invalid'; readonly why: string }

/** Reads the file; none or an empty one means no outputs. */
export async function readOutputs(file: string): Promise<OutputsRead> {
  let handle: FileHandle | undefined
  try {
    // Most jobs give nothing back, and to find that out this way takes a tenth of the time.
    if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return NONE
    // The job may have put anything there: a link is not followed, a pipe not waited for.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (!stats.isFile()) return invalid('it is not a file any more')
    if (stats.size > FILE_BYTES_MAX) return invalid(`more than ${FILE_BYTES_MAX} bytes`)
    return parseOutputs(await handle.readFile())
  } catch (error) {
    return isMissing(error) ? NONE : invalid(error instanceof Error ? error.message : String(error))
  } finally {
    await handle?.close()
  }
}

const NONE: OutputsRead = { kind: 'outputs', outputs: undefined }

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

export function parseOutputs(bytes: Buffer): OutputsRead {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return invalid('not UTF-8')
  }
  if (text.trim() === '') return NONE
  const read = text.trimStart().startsWith('{') ? parseJson(text) : parseLines(text)
  return read.kind === 'invalid' ? read : checkOutputs(read.outputs)
}

/** Refuses what PostgreSQL, the contract or the size of a message cannot hold. */
export function checkOutputs(outputs: Outputs | undefined): OutputsRead {
  if (outputs === undefined) return NONE
  const why = findFault(outputs, 0)
  if (why !== undefined) return invalid(why)
  const bytes = Struct.encode(Struct.wrap(outputs)).finish().length
  return bytes > STRUCT_BYTES_MAX
    ? invalid(`more than ${STRUCT_BYTES_MAX} bytes as a message`)
    : { kind: 'outputs', outputs }
}

function parseJson(text: string): OutputsRead {
  try {
    // It begins with a brace, so what can be parsed is an object.
    return { kind: 'outputs', outputs: JSON.parse(text) as Outputs }
  } catch (error) {
    return invalid(error instanceof Error ? error.message : String(error))
  }
}

function parseLines(text: string): OutputsRead {
  const lines = text.split(/\r?\n/)
  const outputs = new Map<string, string>()
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.trim() === '') continue
    const [, key = '', operator, rest = ''] = /^([^=<]*)(=|<<)(.*)$/.exec(line) ?? []
    if (operator === undefined || !KEY.test(key.trim())) {
      return invalid(`line ${index + 1} is not key=value`)
    }
    if (operator === '=') {
      outputs.set(key.trim(), rest)
      continue
    }
    const end = lines.indexOf(rest.trim(), index + 1)
    if (rest.trim() === '' || end === -1) return invalid(`line ${index + 1}: the block has no end`)
    outputs.set(key.trim(), lines.slice(index + 1, end).join('\n'))
    index = end
  }
  return { kind: 'outputs', outputs: Object.fromEntries(outputs) }
}

function findFault(value: unknown, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return `nested deeper than ${DEPTH_MAX} levels`
  if (typeof value === 'string') return findTextFault(value)
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, item] of Object.entries(value)) {
    const fault = findTextFault(key) ?? findFault(item, depth + 1)
    if (fault !== undefined) return fault
  }
  return undefined
}

function findTextFault(text: string): string | undefined {
  if (text.includes('\0')) return 'a text holds a NUL character'
  return text.isWellFormed() ? undefined : 'a text holds half of a character'
}

function invalid(why: string): OutputsRead {
  return { kind: 'invalid', why }
}

/** Requests that are well typed and otherwise senseless, straight from the descriptors of the contract. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

/** A number in [0, 1), the next of a sequence. */
export type Dice = () => number

/** Mulberry32: the same sequence for the same seed. */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const DEPTH_MAX = 7

const TEXTS = [
  ...['', 'a', 'jobs/known', 'jobs/unknown', 'known', 'executions/x', 'workers/worker-1', 'jobs/'],
  ...['executions/01a1f8af-2230-75c9-baf1-7cb788cc6c39', '*', 'spec.task', 'description', 'PATH'],
  ...[
    '* * * * *',
    '@daily',
    'Europe/Paris',
    'Mars/Olympus',
    'region = eu',
    "a = 'b",
    'state = FAILED',
  ],
  ...[
    'create_time > "2026-11-01"',
    'name = "x"',
    'name:x',
    'name desc',
    'create_time, name',
    'labels.x = 1',
  ],
  ...[
    'priority > 1e99',
    'priority = 5.5',
    'create_time = "+275760-09-13T00:00:00Z"',
    '0',
    '-1',
    '1e400',
  ],
  ...['GET', 'https://127.0.0.1/', 'ftp://x', '{{parameters.x}}', '{{', '/bin/sh', 'bash', '../..'],
  ...[
    '\u202e\ud83d\ude00 e\u0301',
    '%s\\_%',
    "'; drop table rota.job; --",
    '999999999',
    'true',
    '{"a":1}',
    'null',
  ],
  ...['0001-01-01T00:00:00Z', 'x'.repeat(300), '"1"', '__proto__', 'constructor'],
]
const NUMBERS = [0, 1, 2, 3, 5, 50, 100, 1_000, -1, 2 ** 31 - 1, -(2 ** 31)]
const BIG_NUMBERS = [
  0n,
  1n,
  5n,
  3_600n,
  1_795_173_691n,
  -1n,
  315_576_000_001n,
  2n ** 63n - 1n,
  -(2n ** 63n),
]
const DOUBLES = [0, 0.5, 1, 2, -1, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 5e-324]

/** One message of the type, as bytes. */
export function junkOf(type: DescMessage, dice: Dice): Buffer {
  const writer = new BinaryWriter()
  writeMessage(writer, type, { dice, depth: 0 })
  return Buffer.from(writer.finish())
}

interface Writing {
  readonly dice: Dice
  readonly depth: number
}

function writeMessage(writer: BinaryWriter, type: DescMessage, writing: Writing): void {
  const { dice, depth } = writing
  for (const field of type.fields) {
    const isDeep = depth >= DEPTH_MAX && field.message !== undefined
    if (isDeep || dice() > 0.45) continue
    const count =
      field.fieldKind === 'list' || field.fieldKind === 'map' ? 1 + pick(dice, [0, 1, 2]) : 1
    for (let index = 0; index < count; index++) writeField(writer, field, writing)
  }
}

function writeField(writer: BinaryWriter, field: DescField, writing: Writing): void {
  const { dice, depth } = writing
  if (field.fieldKind === 'map') {
    writer.tag(field.number, WireType.LengthDelimited).fork()
    writeScalar(writer, { number: 1, scalar: field.mapKey }, dice)
    if (field.message === undefined) writeScalar(writer, { number: 2, scalar: field.scalar }, dice)
    else nest(writer, 2, () => writeMessage(writer, field.message, { dice, depth: depth + 1 }))
    writer.join()
  } else if (field.message !== undefined) {
    const { message } = field
    nest(writer, field.number, () => writeMessage(writer, message, { dice, depth: depth + 1 }))
  } else {
    writeScalar(writer, field, dice)
  }
}

function nest(writer: BinaryWriter, number: number, write: () => void): void {
  writer.tag(number, WireType.LengthDelimited).fork()
  write()
  writer.join()
}

/** `scalar` is undefined for enums. */
function writeScalar(
  writer: BinaryWriter,
  { number, scalar }: { readonly number: number; readonly scalar?: ScalarType | undefined },
  dice: Dice,
): void {
  switch (scalar) {
    case ScalarType.STRING:
      writer.tag(number, WireType.LengthDelimited).string(pick(dice, TEXTS))
      break
    case ScalarType.BYTES:
      writer.tag(number, WireType.LengthDelimited).bytes(Buffer.from(pick(dice, TEXTS)))
      break
    case ScalarType.DOUBLE:
      writer.tag(number, WireType.Bit64).double(pick(dice, DOUBLES))
      break
    case ScalarType.INT64:
      writer.tag(number, WireType.Varint).int64(pick(dice, BIG_NUMBERS))
      break
    case ScalarType.BOOL:
      writer.tag(number, WireType.Varint).bool(dice() < 0.5)
      break
    case ScalarType.INT32:
    case undefined:
      writer.tag(number, WireType.Varint).int32(pick(dice, NUMBERS))
      break
    default:
      throw new Error(`the contract uses ${ScalarType[scalar]} now: teach junk.ts`)
  }
}

function pick<T>(dice: Dice, values: readonly T[]): T {
  return values[Math.floor(dice() * values.length)] as T
}

/** A request in which one text holds `text`, for every text that a request of the type can have, each message once. */
export function withTextEverywhere(
  type: DescMessage,
  text: string,
): { readonly path: string; readonly bytes: Buffer }[] {
  return textPaths(type, []).map((steps) => {
    const writer = new BinaryWriter()
    writeSteps(writer, steps, text)
    return {
      path: steps.map(({ field }) => field.name).join('.'),
      bytes: Buffer.from(writer.finish()),
    }
  })
}

interface Step {
  readonly field: DescField
  /** Of a map: where the way goes on. */
  readonly entry?: 1 | 2
}

function textPaths(type: DescMessage, before: readonly Step[]): Step[][] {
  const seen = before.filter(({ field }) => field.message === type).length
  if (seen > 1) return []
  return type.fields.flatMap((field) => {
    if (field.fieldKind === 'map') {
      const value = { field, entry: 2 as const }
      const values =
        field.message === undefined
          ? field.scalar === ScalarType.STRING
            ? [[...before, value]]
            : []
          : textPaths(field.message, [...before, value])
      return [[...before, { field, entry: 1 as const }], ...values]
    }
    if (field.message !== undefined) return textPaths(field.message, [...before, { field }])
    return field.scalar === ScalarType.STRING ? [[...before, { field }]] : []
  })
}

function writeSteps(writer: BinaryWriter, steps: readonly Step[], text: string): void {
  const [step, ...rest] = steps
  if (step === undefined) return
  const { field, entry } = step
  const inner = (number: number) => {
    if (rest.length > 0) nest(writer, number, () => writeSteps(writer, rest, text))
    else writer.tag(number, WireType.LengthDelimited).string(text)
  }
  if (entry === undefined) {
    inner(field.number)
    return
  }
  nest(writer, field.number, () => {
    if (entry === 2) writer.tag(1, WireType.LengthDelimited).string('key')
    inner(entry)
    // A google.protobuf.Value: an entry without any is none.
    if (entry === 1 && field.message !== undefined) {
      nest(writer, 2, () => writer.tag(4, WireType.Varint).bool(true))
    }
  })
}

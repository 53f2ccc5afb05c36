import { readFileSync } from 'node:fs'
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkText, MAP_FIELDS } from '../../../../coordinator/rpc/check-text.ts'
import { CreateJobRequest, TriggerJobRequest } from '../../../../proto/gen/rota/v1/job_service.ts'

function fieldsOf(request: unknown): string[] {
  return checkText(request).map(({ field, reason }) => `${field} ${reason}`)
}

test('a request of clean texts is right', () => {
  const request = CreateJobRequest.fromPartial({
    jobId: 'a',
    job: {
      displayName: 'Grüße 👋',
      spec: { task: { kind: { $case: 'shell', value: { command: 'true\n' } } } },
    },
  })
  expect(checkText(request)).toEqual([])
})

describe('paths are those of the contract', () => {
  test('in snake_case, with the case of a oneof, keys of maps and indexes of lists', () => {
    const request = CreateJobRequest.fromPartial({
      requestId: '\0',
      job: {
        displayName: '\0',
        tags: ['', '\0'],
        labels: { team: '\0', 'a "b"\0': 'x' },
        spec: {
          task: { kind: { $case: 'shell', value: { command: '\0', env: { $case: '\0' } } } },
          schedule: { recurrences: [{ kind: { $case: 'cron', value: '\0' } }] },
          parameters: [{ description: '\0' }],
        },
      },
    })
    expect(fieldsOf(request)).toEqual([
      'job.display_name TEXT_INVALID',
      'job.spec.task.shell.command TEXT_INVALID',
      'job.spec.task.shell.env["$case"] TEXT_INVALID',
      'job.spec.schedule.recurrences[0].cron TEXT_INVALID',
      'job.spec.parameters[0].description TEXT_INVALID',
      'job.labels["team"] TEXT_INVALID',
      String.raw`job.labels["a \"b\"\u0000"] TEXT_INVALID`,
      'job.tags[1] TEXT_INVALID',
      'request_id TEXT_INVALID',
    ])
  })

  test('and all that lies in structured data is data, also what looks like a oneof', () => {
    const parameters = { $case: 'x', value: 1, deepName: { list: ['\0'] }, '\0': 1 }
    expect(fieldsOf(TriggerJobRequest.fromPartial({ parameters }))).toEqual([
      'parameters["deepName"]["list"][0] TEXT_INVALID',
      String.raw`parameters["\u0000"] TEXT_INVALID`,
    ])
  })

  test('the fields with keys of their own are those of the requests of the contract', () => {
    const fields = requestFields()
    const names = (wanted: readonly DescField[]) =>
      new Set(wanted.map(({ localName }) => localName))
    const withKeys = names(fields.filter(hasKeys))
    // A list of that name is told apart by being a list.
    const others = names(fields.filter((field) => !hasKeys(field) && field.fieldKind !== 'list'))
    expect([...MAP_FIELDS].sort()).toEqual([...withKeys].sort())
    expect([...MAP_FIELDS].filter((name) => others.has(name))).toEqual([])
  })
})

const STRUCT = 'google.protobuf.Struct'

function hasKeys(field: DescField): boolean {
  return (
    field.fieldKind === 'map' ||
    (field.fieldKind === 'message' && field.message.typeName === STRUCT)
  )
}

/** Every field of every message that can come in a request. */
function requestFields(): DescField[] {
  const bytes = readFileSync(new URL('../../../../proto/gen/rota.binpb', import.meta.url))
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes))
  const services = [...registry].filter((type) => type.kind === 'service')
  const inputs = services
    .filter(({ typeName }) => typeName.startsWith('rota.'))
    .flatMap(({ methods }) => methods.map(({ input }) => input))
  const seen = new Set<DescMessage>(inputs)
  for (const message of seen) {
    for (const { message: below } of message.fields) {
      if (below !== undefined && below.typeName !== STRUCT) seen.add(below)
    }
  }
  return [...seen].flatMap(({ fields }) => fields)
}

describe('limits', () => {
  test('a NUL is told with its place', () => {
    expect(checkText({ name: 'ab\0' })[0]?.message).toBe('holds a NUL at 3')
  })

  test('half of a surrogate pair is refused, a whole one is not', () => {
    expect(fieldsOf({ name: 'a\ud83d' })).toEqual(['name TEXT_INVALID'])
    expect(fieldsOf({ name: '\ud83d\ude00' })).toEqual([])
  })

  test('a text of 256 KiB is right, one byte more is not', () => {
    expect(fieldsOf({ name: 'a'.repeat(262_144) })).toEqual([])
    expect(fieldsOf({ name: 'a'.repeat(262_145) })).toEqual(['name FIELD_TOO_LONG'])
    expect(fieldsOf({ name: 'é'.repeat(131_073) })).toEqual(['name FIELD_TOO_LONG'])
  })

  test('nesting ends at 64', () => {
    const nest = (depth: number): object => (depth === 0 ? { name: '\0' } : { a: nest(depth - 1) })
    expect(fieldsOf(nest(63))).toEqual([`${'a.'.repeat(63)}name TEXT_INVALID`])
    expect(fieldsOf(nest(64))).toEqual([`${'a.'.repeat(63)}a FIELD_INVALID`])
  })

  test('at most 20 violations are told', () => {
    expect(checkText({ tags: Array(1_000).fill('\0') })).toHaveLength(20)
    expect(
      checkText({
        labels: Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`\0${n}`, '\0'])),
      }),
    ).toHaveLength(20)
  })

  test('bytes are not text', () => {
    expect(
      checkText({ body: Buffer.from('\0'), other: new Uint8Array(3), time: new Date(0) }),
    ).toEqual([])
  })
})

test('a time is from the years that the contract has', () => {
  const right = ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'].map((time) => new Date(time))
  const wrong = [new Date(Number.NaN), new Date('-000001-12-31T23:59:59Z'), new Date(8.64e15)]
  expect(fieldsOf({ times: right })).toEqual([])
  expect(fieldsOf({ notBefore: wrong[0], at: wrong[1], until: wrong[2] })).toEqual([
    'not_before FIELD_INVALID',
    'at FIELD_INVALID',
    'until FIELD_INVALID',
  ])
})

test('anything is answered', () => {
  fc.assert(
    fc.property(
      fc.anything({ maxDepth: 6, withBigInt: true, withDate: true, withTypedArray: true }),
      (value) => {
        expect(checkText(value).length).toBeLessThanOrEqual(20)
      },
    ),
  )
})

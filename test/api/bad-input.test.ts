import type { DescMethod } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RotaError } from '../../shared/errors/rota-error.ts'
import { diceOf, junkOf, withTextEverywhere } from '../support/junk.ts'
import { everyMethod, openRawCaller, pathOf, type RawCaller } from '../support/raw-call.ts'
import { shell } from '../support/spec.ts'
import { startTestCoordinator, type TestCoordinator } from '../support/test-coordinator.ts'

/** Methods of the API that answer once; the ones of later releases refuse everything alike. */
const METHODS = everyMethod().filter(
  ({ methodKind, parent }) => methodKind === 'unary' && parent.typeName.startsWith('rota.v1.'),
)

let rota: TestCoordinator
let admin: RawCaller
let served: DescMethod[]

beforeAll(async () => {
  rota = await startTestCoordinator()
  admin = openRawCaller(rota, { authorization: `Bearer ${rota.token()}` })
  await rota.createJob('known', {
    ...shell('true'),
    parameters: [{ name: 'a', kind: 'KIND_JSON' }],
  })
  const reasons = await Promise.all(
    METHODS.map(async (method) => reasonOf(await call(method, Buffer.of()))),
  )
  served = METHODS.filter((_, index) => reasons[index] !== 'METHOD_UNAVAILABLE')
  expect(served.length).toBeGreaterThan(15)
})

afterAll(async () => {
  admin.close()
  await rota.remove()
})

function call(method: DescMethod, bytes: Buffer): Promise<Buffer | RotaError> {
  return admin.call(pathOf(method), method.methodKind, bytes)
}

function reasonOf(answer: Buffer | RotaError): string {
  return answer instanceof RotaError ? answer.reason : 'answered'
}

test('no well-typed request, however senseless, is answered with INTERNAL, or not at all', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat({ max: served.length - 1 }), async (seed, index) => {
      const method = served[index]!
      const reason = reasonOf(await call(method, junkOf(method.input, diceOf(seed))))
      seen.add(reason)
      if (reason === 'INTERNAL') throw new Error(`${pathOf(method)} with the junk of ${seed}`)
    }),
    { numRuns: 1_500, endOnFailure: true },
  )
  // The junk gets through the door, and is not all refused for one reason.
  expect([...seen]).toEqual(
    expect.arrayContaining(['answered', 'FIELD_INVALID', 'JOB_NOT_FOUND', 'FILTER_INVALID']),
  )
})

test('a NUL in any text of any request is refused as that, with its path', async () => {
  const wrong: string[] = []
  let count = 0
  for (const method of served) {
    for (const { path, bytes } of withTextEverywhere(method.input, 'a\0b')) {
      count += 1
      const answer = await call(method, bytes)
      if (reasonOf(answer) === 'TEXT_INVALID' && (answer as RotaError).violations.length > 0)
        continue
      wrong.push(`${pathOf(method)} ${path}: ${reasonOf(answer)}`)
    }
  }
  expect(wrong).toEqual([])
  expect(count).toBeGreaterThan(100)
})

test('a text of more than 256 KiB is refused, a request of more than 1 MiB as too large', async () => {
  const refusal = async (length: number) =>
    rota
      .createJob('long', shell(`echo ${'x'.repeat(length)}`))
      .catch((error: unknown) => (error as RotaError).cause)
  expect(await refusal(300_000)).toMatchObject({ code: 3 })
  expect(await refusal(1_100_000)).toMatchObject({ code: 8 })
  const { rows } = await sql`select from rota.job where name = 'long'`.execute(rota.db)
  expect(rows).toHaveLength(0)
})

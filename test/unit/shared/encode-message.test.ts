import { expect, test } from 'vitest'
import { Finished } from '../../../proto/gen/rota/agent/v1/agent_service.ts'
import { encodeMessage } from '../../../shared/encode-message.ts'

function finished(message: string): Finished {
  return Finished.fromPartial({ execution: 'executions/x', epoch: 1n, message })
}

test('messages are encoded as by writers of their own, and later ones leave earlier ones alone', () => {
  const messages = ['a', 'x'.repeat(300_000), 'b', ''].map(finished)
  const encoded = messages.map((message) => encodeMessage(Finished, message))
  expect(encoded.map((bytes) => Finished.decode(bytes))).toEqual(messages)
  expect(encoded[0]).toEqual(Buffer.from(Finished.encode(messages[0]!).finish()))
})

test('a message that cannot be encoded leaves nothing behind', () => {
  const bad = { ...finished('c'), epoch: 2n ** 70n }
  expect(() => encodeMessage(Finished, bad)).toThrow()
  const good = finished('d')
  expect(Finished.decode(encodeMessage(Finished, good))).toEqual(good)
})

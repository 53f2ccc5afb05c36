import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseClusterKey, seal, unseal } from '../../../../coordinator/identity/cluster-key.ts'
import { systemRandom as random } from '../../../../shared/random.ts'

const key = randomBytes(32)
const context = Buffer.from('certificate')
const secret = Buffer.from('private key')

describe('a cluster key', () => {
  test.each(['hex', 'base64', 'base64url'] as const)('is read as %s', (encoding) => {
    expect(parseClusterKey(` ${key.toString(encoding)}\n`)).toEqual(key)
  })

  test.each(['', 'short', 'x'.repeat(64), key.toString('hex').slice(1), `${'A'.repeat(44)}`])(
    'is not %j',
    (text) => expect(parseClusterKey(text)).toBeUndefined(),
  )
})

describe('what is sealed', () => {
  const sealed = seal(key, { secret, context, random })

  test('is opened by the same key', () => {
    expect(unseal(key, sealed, context)).toEqual(secret)
  })

  test('does not show the secret, and looks different each time', () => {
    expect(sealed.includes(secret)).toBe(false)
    expect(seal(key, { secret, context, random }).equals(sealed)).toBe(false)
  })

  test('stays closed for another key, another context, and when any byte was changed', () => {
    expect(unseal(randomBytes(32), sealed, context)).toBeUndefined()
    expect(unseal(key, sealed, Buffer.from('another'))).toBeUndefined()
    for (let index = 0; index < sealed.length; index++) {
      const changed = Buffer.from(sealed)
      changed.writeUInt8(changed.readUInt8(index) ^ 1, index)
      expect(unseal(key, changed, context)).toBeUndefined()
    }
    expect(unseal(key, Buffer.of(1), context)).toBeUndefined()
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatJoinToken, parseJoinToken } from '../../../shared/join-token.ts'

const TOKEN = {
  id: '0123456789abcdef',
  secret: 'A-_z'.repeat(10).padEnd(43, 'x'),
  caDigest: 'ab'.repeat(32),
}

test('what is written is read, with blanks around it', () => {
  expect(parseJoinToken(`\n ${formatJoinToken(TOKEN)} \n`)).toEqual(TOKEN)
})

test.each([
  '',
  'rota-join-',
  formatJoinToken({ ...TOKEN, id: '0123456789ABCDEF' }),
  formatJoinToken({ ...TOKEN, secret: TOKEN.secret.slice(1) }),
  formatJoinToken({ ...TOKEN, secret: `${TOKEN.secret}x` }),
  formatJoinToken({ ...TOKEN, caDigest: 'xy'.repeat(32) }),
  `${formatJoinToken(TOKEN)}.more`,
  formatJoinToken(TOKEN).replace('rota-join-', 'rota-'),
])('%j is no token', (text) => {
  expect(parseJoinToken(text)).toBeUndefined()
})

test('no text makes it throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => parseJoinToken(text) === undefined),
  )
})

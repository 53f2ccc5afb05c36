import { expect, test } from 'vitest'
import { splitAddress } from '../../../../agent/identity/address.ts'
import { renewalTime } from '../../../../agent/identity/renewal.ts'

test('a certificate is renewed between 50 and 55 % of its life', () => {
  const life = { notBefore: new Date(0), notAfter: new Date(1_000_000) }
  expect(renewalTime(life, 0)).toEqual(new Date(500_000))
  expect(renewalTime(life, 0.999)).toEqual(new Date(549_950))
})

test.each([
  ['127.0.0.1:7420', { host: '127.0.0.1', port: 7420 }],
  ['rota.example.com:1', { host: 'rota.example.com', port: 1 }],
  ['[::1]:65535', { host: '::1', port: 65535 }],
])('%s has a host and a port', (address, expected) => {
  expect(splitAddress(address)).toEqual(expected)
})

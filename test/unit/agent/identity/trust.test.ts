import { X509Certificate } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import { verifyChain } from '../../../../agent/identity/trust.ts'
import { COORDINATOR_TLS_NAME } from '../../../../shared/channel-options.ts'
import { createFakeAuthority, type FakeAuthority } from '../../../support/fake-authority.ts'

let authority: FakeAuthority
let leaf: X509Certificate
let ca: X509Certificate

beforeAll(async () => {
  authority = await createFakeAuthority()
  ca = new X509Certificate(authority.caPem)
  leaf = await leafOf(authority, [COORDINATOR_TLS_NAME])
})

async function leafOf(by: FakeAuthority, names: readonly string[]): Promise<X509Certificate> {
  return new X509Certificate((await by.createServer(names)).chainPem)
}

function verify(chain: readonly X509Certificate[], now = new Date()) {
  return verifyChain({ chain, caDigest: authority.caDigest, now })
}

test('a coordinator whose chain ends in the CA of the digest is trusted', () => {
  expect(verify([leaf, ca])).toEqual({ kind: 'trusted', caPem: `${authority.caPem.trim()}\n` })
})

test('a chain of another CA is refused', async () => {
  const other = await createFakeAuthority()
  const stranger = await leafOf(other, [COORDINATOR_TLS_NAME])
  const otherCa = new X509Certificate(other.caPem)
  expect(verify([stranger, otherCa])).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/not the one/),
  })
  // The right CA is public; showing it proves nothing.
  expect(verify([stranger, ca])).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/was not signed/),
  })
  expect(verify([stranger, otherCa, ca])).toMatchObject({ kind: 'refused' })
})

test('the CA alone, an empty chain, or one without the CA is refused', () => {
  expect(verify([ca])).toMatchObject({ kind: 'refused' })
  expect(verify([])).toMatchObject({ kind: 'refused' })
  expect(verify([leaf])).toMatchObject({ kind: 'refused' })
})

test('a certificate of an agent does not make a coordinator', async () => {
  const agent = await leafOf(authority, ['worker-1'])
  expect(verify([agent, ca])).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/not that of a coordinator/),
  })
})

test('a certificate outside of its time is refused', () => {
  const later = new Date(leaf.validToDate.getTime() + 1_000)
  expect(verify([leaf, ca], later)).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/clock/),
  })
  const earlier = new Date(leaf.validFromDate.getTime() - 1_000)
  expect(verify([leaf, ca], earlier)).toMatchObject({
    kind: 'refused',
    why: expect.stringMatching(/clock/),
  })
})

import 'reflect-metadata'
import { createPublicKey } from 'node:crypto'
import { Pkcs10CertificateRequest } from '@peculiar/x509'
import { expect, test } from 'vitest'
import { createCertificateRequest } from '../../../../agent/identity/certificate-request.ts'
import { createKey } from '../../../../agent/identity/identity-files.ts'

test.each(['worker-1', 'x'.repeat(120), 'ü'.repeat(100)])(
  'another implementation reads the request of %s and finds it signed by its key',
  async (name) => {
    const { key } = createKey()
    const request = new Pkcs10CertificateRequest(
      Uint8Array.from(createCertificateRequest(key, name)),
    )
    expect(await request.verify()).toBe(true)
    expect(request.subjectName.getField('CN')).toEqual([name])
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
    expect(Buffer.from(request.publicKey.rawData).equals(spki)).toBe(true)
  },
)

/**
 * A PKCS #10 certificate request (RFC 2986) for an ECDSA P-256 key, written out by hand: it is one fixed shape of
 * 40 lines, and the X.509 library would stay in the memory of a process that needs it once a month.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'

/** DER tags (X.690) that a request consists of. */
const INTEGER = 0x02
const BIT_STRING = 0x03
const UTF8_STRING = 0x0c
const SEQUENCE = 0x30
const SET = 0x31
const ATTRIBUTES = 0xa0

/** id-at-commonName, 2.5.4.3, as a DER OBJECT IDENTIFIER. */
const COMMON_NAME = Buffer.from('0603550403', 'hex')
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2. */
const ECDSA_WITH_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex')

/** The request in DER, signed by `privateKey`, with `commonName` as its only name. */
export function createCertificateRequest(privateKey: KeyObject, commonName: string): Buffer {
  const information = der(
    SEQUENCE,
    der(INTEGER, Buffer.of(0)),
    distinguishedName(commonName),
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    der(ATTRIBUTES),
  )
  const signature = sign('sha256', information, privateKey)
  return der(
    SEQUENCE,
    information,
    der(SEQUENCE, ECDSA_WITH_SHA256),
    // No unused bits.
    der(BIT_STRING, Buffer.of(0), signature),
  )
}

function distinguishedName(commonName: string): Buffer {
  const attribute = der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(commonName)))
  return der(SEQUENCE, der(SET, attribute))
}

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const body = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag), derLength(body.length), body])
}

/** Short form below 128, else the number of length bytes and then these. */
function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  if (length < 0x100) return Buffer.of(0x81, length)
  return Buffer.of(0x82, length >> 8, length & 0xff)
}

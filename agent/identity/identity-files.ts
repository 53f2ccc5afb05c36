/**
 * Who the agent is: its own key, the certificate that a coordinator gave it, and the CA that it trusts.
 *
 * I1. The key never leaves the folder and is readable by its owner only.
 * I2. Each file is replaced in one step; a crash between two files leaves a pair that does not match, which counts as
 *     not joined.
 */
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { agentFiles } from '../../shared/data-dir.ts'
import type { AgentSettings } from './settings.ts'

export type AgentFiles = ReturnType<typeof agentFiles>

export interface Identity {
  readonly keyPem: string
  /** The certificate first, then what signed it. */
  readonly certificatePem: string
  readonly caPem: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/** Undefined when the agent has not joined, or its files do not fit together. */
export function loadIdentity(files: AgentFiles): Identity | undefined {
  try {
    return toIdentity({
      keyPem: readFileSync(files.key, 'utf8'),
      certificatePem: readFileSync(files.certificate, 'utf8'),
      caPem: readFileSync(files.caCertificate, 'utf8'),
    })
  } catch {
    return undefined
  }
}

/** Throws when the key does not belong to the certificate, or a text is none. */
export function toIdentity(pem: {
  readonly keyPem: string
  readonly certificatePem: string
  readonly caPem: string
}): Identity {
  const certificate = new X509Certificate(pem.certificatePem)
  if (!certificate.checkPrivateKey(createPrivateKey(pem.keyPem))) {
    throw new TypeError('the certificate belongs to another key')
  }
  return { ...pem, notBefore: certificate.validFromDate, notAfter: certificate.validToDate }
}

/** Stores all of it, the certificate last, for that completes the pair (I2). */
export function storeIdentity(
  files: AgentFiles,
  identity: Identity,
  settings: AgentSettings,
): void {
  mkdirSync(files.folder, { recursive: true, mode: 0o700 })
  replaceFile(files.key, identity.keyPem, 0o600)
  replaceFile(files.caCertificate, identity.caPem, 0o644)
  replaceFile(files.settings, `${JSON.stringify(settings, null, 2)}\n`, 0o600)
  replaceFile(files.certificate, identity.certificatePem, 0o644)
}

/** A new ECDSA P-256 key. */
export function createKey(): { readonly key: KeyObject; readonly pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  return { key: privateKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** Writes beside the file, syncs and renames, so that a reader or a crash never sees half of it. */
function replaceFile(file: string, text: string, mode: number): void {
  const draft = `${file}.new`
  const fd = openSync(draft, 'w', mode)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, file)
  syncFolder(dirname(file))
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

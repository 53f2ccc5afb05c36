/**
 * The one certificate authority of all coordinators of a database.
 *
 * K1. Its certificate and sealed private key are in the database; the cluster key that opens it never is.
 * K2. A cluster key of our own making is on the disk before anything that was sealed with it is in the database.
 * K3. Of several coordinators that make an authority at once one wins, and all use what is in the database.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { coordinatorFiles } from '../../shared/data-dir.ts'
import { RotaError } from '../../shared/errors/rota-error.ts'
import type { Deps } from '../deps.ts'
import { findAuthority, insertAuthority, type StoredAuthority } from './authority-queries.ts'
import { makeAuthority } from './certificate-authority.ts'
import { CLUSTER_KEY_BYTES, parseClusterKey, seal, unseal } from './cluster-key.ts'
import { type Identity, readIdentity, readText, writeWhole } from './identity-files.ts'

export interface ClusterAuthorityOptions {
  readonly files: ReturnType<typeof coordinatorFiles>
  /** As configured; undefined: the one of the data folder, made when there is none. */
  readonly clusterKey: Buffer | undefined
}

type AuthorityDeps = Pick<Deps, 'db' | 'clock' | 'random' | 'logger'>

/** The authority of the database; makes it when there is none. Throws CLUSTER_KEY_MISSING or CLUSTER_KEY_WRONG. */
export async function ensureClusterAuthority(
  deps: AuthorityDeps,
  options: ClusterAuthorityOptions,
): Promise<Identity> {
  const { files } = options
  const ca = (await openStored(deps, options)) ?? (await create(deps, options))
  await writeWhole(files.caCertificate, ca.certificate, 0o644)
  return ca
}

async function openStored(
  deps: AuthorityDeps,
  options: ClusterAuthorityOptions,
): Promise<Identity | undefined> {
  const stored = await findAuthority(deps.db)
  if (stored === undefined) return undefined
  const key = options.clusterKey ?? (await readKey(options.files.clusterKey))
  if (key !== undefined) return open(stored, key)
  throw new RotaError(
    'CLUSTER_KEY_MISSING',
    'this coordinator has no cluster key, and its database belongs to a cluster already',
  )
}

async function create(deps: AuthorityDeps, options: ClusterAuthorityOptions): Promise<Identity> {
  const { files } = options
  const kept = options.clusterKey ?? (await readKey(files.clusterKey))
  const key = kept ?? deps.random.bytes(CLUSTER_KEY_BYTES)
  if (kept === undefined)
    await writeWhole(files.clusterKey, `${key.toString('base64url')}\n`, 0o600)
  // An earlier release kept the authority in the data folder; agents trust it.
  const own = await readIdentity(files.caKey, files.caCertificate)
  const ca = own ?? (await makeAuthority(deps))
  const context = Buffer.from(ca.certificate)
  const sealed = seal(key, { secret: Buffer.from(ca.key), context, random: deps.random })
  if (await insertAuthority(deps.db, { certificate_pem: ca.certificate, sealed_key: sealed })) {
    await rm(files.caKey, { force: true })
    deps.logger.info({ takenOver: own !== undefined }, 'the cluster has a certificate authority')
    return ca
  }
  // Another one was first, and this key opens nothing.
  if (kept === undefined) await rm(files.clusterKey, { force: true })
  const stored = await openStored(deps, options)
  if (stored === undefined) throw new Error('the authority of the cluster has gone')
  return stored
}

function open(stored: StoredAuthority, clusterKey: Buffer): Identity {
  const certificate = stored.certificate_pem
  const key = unseal(clusterKey, stored.sealed_key, Buffer.from(certificate))?.toString()
  if (key === undefined) {
    throw new RotaError(
      'CLUSTER_KEY_WRONG',
      'the cluster key does not open what its database holds',
    )
  }
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) {
    throw new Error('the certificate of the authority belongs to another key')
  }
  return { key, certificate }
}

async function readKey(file: string): Promise<Buffer | undefined> {
  const text = await readText(file)
  if (text === undefined) return undefined
  const key = parseClusterKey(text)
  if (key !== undefined) return key
  throw new RotaError('CLUSTER_KEY_WRONG', `${file} is no cluster key`)
}

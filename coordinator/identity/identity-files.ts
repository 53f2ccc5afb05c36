/** Keys, certificates and secrets in the data folder of a coordinator. */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** PEM texts of a key and of its certificate. */
export interface Identity {
  readonly key: string
  readonly certificate: string
}

export async function readIdentity(
  keyFile: string,
  certificateFile: string,
): Promise<Identity | undefined> {
  const key = await readText(keyFile)
  const certificate = await readText(certificateFile)
  return key === undefined || certificate === undefined ? undefined : { key, certificate }
}

/** The certificate is written last: without it the pair is made anew. */
export async function writeIdentity(
  keyFile: string,
  certificateFile: string,
  identity: Identity,
): Promise<Identity> {
  await writeWhole(keyFile, identity.key, 0o600)
  await writeWhole(certificateFile, identity.certificate, 0o644)
  return identity
}

/** Undefined when there is no such file. */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (Reflect.get(error as object, 'code') === 'ENOENT') return undefined
    throw error
  }
}

/** Whole and on the disk, or not at all. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.draft`
  const handle = await open(draft, 'w', mode)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

import { readFile } from 'node:fs/promises'
import { MESSAGE_BYTES_MAX } from '../../../shared/channel-options.ts'
import type { Host } from '../../host.ts'
import { usageError } from '../../option-values.ts'

/** A file of this host as text, or stdin for `-`. Refuses what is not UTF-8 or too large to be sent. */
export async function readText(host: Host, option: string, path: string): Promise<string> {
  const bytes = path === '-' ? await readAll(host) : await readBytes(option, path)
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw usageError(
      option,
      `${path} is larger than 1 MiB`,
      'Put it on the worker, and name its path.',
    )
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw usageError(
      option,
      `${path} is not UTF-8 text`,
      'Put it on the worker, and name its path.',
    )
  }
}

async function readBytes(option: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw usageError(option, `${path} cannot be read (${code})`, 'Check the path. - reads stdin.')
  }
}

async function readAll({ stdin }: Host): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stdin) chunks.push(chunk)
  return Buffer.concat(chunks)
}

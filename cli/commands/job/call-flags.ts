/** The options of an HTTP call: `--method`, `--header`, `--body`, `--expect`, `--follow-redirects`. */
import type { ApiTask } from '../../../proto/gen/rota/v1/job.ts'
import { readInteger, usageError, withoutNone } from '../../option-values.ts'
import type { JobFlags } from './flags.ts'

/** Reads a file of this host as text; `-` is stdin. */
export type ReadText = (option: string, path: string) => Promise<string>

/** What the options change of a call. */
export async function changeCall(
  base: ApiTask,
  flags: JobFlags,
  readText: ReadText,
): Promise<Partial<ApiTask>> {
  const { method, header, body, expect, followRedirects } = flags
  const implied = base.method === '' && body !== undefined ? 'POST' : base.method
  return {
    method: method?.toUpperCase() ?? implied,
    ...(header === undefined ? {} : { headers: readHeaders(withoutNone(header)) }),
    ...(body === undefined
      ? {}
      : { body: Buffer.from(await readAtFile('--body', body, readText)) }),
    ...(expect === undefined ? {} : { expectedStatusCodes: readCodes(withoutNone(expect)) }),
    ...(followRedirects === undefined ? {} : { followRedirects }),
  }
}

/** The text itself, or that of the file after `@`. */
export function readAtFile(option: string, text: string, readText: ReadText): Promise<string> {
  return text.startsWith('@') ? readText(option, text.slice(1)) : Promise.resolve(text)
}

function readHeaders(headers: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    headers.map((header) => {
      const at = header.indexOf(':')
      if (at > 0) return [header.slice(0, at).trim(), header.slice(at + 1).trim()]
      throw usageError(
        '--header',
        `${JSON.stringify(header)} has no value`,
        'Write it as "Name: value".',
      )
    }),
  )
}

function readCodes(texts: readonly string[]): number[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((text) => readInteger('--expect', text.trim(), { min: 100, max: 599 }))
}

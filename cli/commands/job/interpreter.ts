import { extname } from 'node:path'
import { usageError } from '../../option-values.ts'

const BY_SUFFIX: Readonly<Record<string, string>> = {
  '.sh': 'sh',
  '.bash': 'bash',
  '.py': 'python3',
  '.js': 'node',
  '.mjs': 'node',
  '.ts': 'node',
  '.rb': 'ruby',
  '.pl': 'perl',
}

/** Empty when the script says it by its `#!` line; else by the suffix, which the worker does not see. */
export function inferInterpreter(path: string, source: string): string {
  if (source.startsWith('#!')) return ''
  const interpreter = BY_SUFFIX[extname(path).toLowerCase()]
  if (interpreter !== undefined) return interpreter
  throw usageError(
    '--script',
    `nothing says what runs ${path === '-' ? 'the script' : path}`,
    'Begin it with a line such as #!/bin/sh, or give --interpreter bash.',
  )
}

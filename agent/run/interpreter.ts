/** Who runs a script. */
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { basename, delimiter, extname, isAbsolute, join } from 'node:path'

const BY_EXTENSION: Readonly<Record<string, string>> = {
  '.sh': 'sh',
  '.bash': 'bash',
  '.py': 'python3',
  '.js': 'node',
  '.mjs': 'node',
  '.cjs': 'node',
  '.ts': 'node',
  '.rb': 'ruby',
  '.pl': 'perl',
}

/** Tried when the first is not installed. */
const OTHER_NAMES: Readonly<Record<string, string>> = { python: 'python3', python3: 'python' }

/**
 * The program and its options: by name, else by the `#!` line, else by the extension, else sh. The `#!` line is read here
 * and not by the kernel, for a file may lack the mode, and its file system may forbid execution.
 */
export function chooseInterpreter(options: {
  readonly wanted: string
  /** Beginning of the script. */
  readonly head: string
  /** Empty for an inline script. */
  readonly path: string
}): readonly [program: string, ...options: string[]] {
  if (options.wanted !== '') return [options.wanted]
  const [, program, argument] = /^#![ \t]*(\S+)[ \t]*(.*)/.exec(options.head) ?? []
  if (program !== undefined) {
    // As Linux does it: all that follows is one argument.
    const rest = argument?.trim() ?? ''
    return rest === '' ? [program] : [program, rest]
  }
  return [BY_EXTENSION[extname(basename(options.path)).toLowerCase()] ?? 'sh']
}

/** Where the program lies; undefined when it is not installed. `node` is there in any case: it runs the agent. */
export async function findProgram(
  name: string,
  where: { readonly path: string; readonly workingDirectory: string },
): Promise<string | undefined> {
  if (isAbsolute(name)) return (await isExecutable(name)) ? name : undefined
  if (name.includes('/')) {
    const file = join(where.workingDirectory, name)
    return (await isExecutable(file)) ? file : undefined
  }
  const found =
    (await searchPath(name, where.path)) ?? (await searchPath(OTHER_NAMES[name], where.path))
  return found ?? (name === 'node' ? process.execPath : undefined)
}

async function searchPath(name: string | undefined, path: string): Promise<string | undefined> {
  if (name === undefined) return undefined
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name)
    if (isAbsolute(folder) && (await isExecutable(file))) return file
  }
  return undefined
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile()
  } catch {
    return false
  }
}

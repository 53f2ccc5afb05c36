/** The real processes of a cluster, started, killed and awaited by tests. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const START_MS = 60_000

export interface RunningProcess {
  readonly pid: number
  /** All that it has written so far, line by line. */
  readonly lines: string[]
  readonly exit: Promise<number | null>
  kill(signal: NodeJS.Signals): void
  /** The first line of JSON on stdout that has this key. */
  answer(key: string): Promise<Record<string, unknown>>
}

export interface ProcessOptions {
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The tree to run from; default is this one. */
  readonly root?: string
  /** User to run as; needs root. */
  readonly uid?: number
  /** A command line that runs another one in its own place, e.g. `ip netns exec NAME`. */
  readonly within?: readonly string[]
}

/** Environment without what would reach a cluster of the developer's own. */
export function cleanEnvironment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('ROTA_') && name !== 'DATABASE_URL',
  )
  return { ...Object.fromEntries(kept), NO_COLOR: '1', ...env }
}

/** Starts a TypeScript file with the Node that runs the tests. */
export function startProcess(options: ProcessOptions): RunningProcess {
  const { args, env, uid, root = ROOT, within = [] } = options
  const [file = process.execPath, ...rest] = [...within, process.execPath, ...args]
  const child = spawn(file, rest, {
    cwd: root,
    env: cleanEnvironment(env),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const lines: string[] = []
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => lines.push(line))
  }
  return {
    pid: pidOf(child),
    lines,
    exit: once(child, 'close').then(([code]) => code as number | null),
    kill: (signal) => void child.kill(signal),
    answer: (key) => until(`${args[0]} says ${key}`, () => findAnswer(lines, key), START_MS),
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('the process did not start')
  return child.pid
}

function findAnswer(lines: readonly string[], key: string): Record<string, unknown> | undefined {
  for (const line of lines) {
    if (!line.startsWith(`{"${key}"`)) continue
    return JSON.parse(line)
  }
  return undefined
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `rota ...` as a process and answers how it ended. */
export async function runRota(
  args: readonly string[],
  options: Omit<ProcessOptions, 'args'> = {},
): Promise<CliResult> {
  const { env, uid, root = ROOT } = options
  try {
    const ran = await promisify(execFile)(process.execPath, [join(root, 'cli/main.ts'), ...args], {
      cwd: root,
      env: cleanEnvironment(env),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    })
    return { code: 0, ...ran }
  } catch (error) {
    const { code, stdout, stderr } = error as CliResult
    return { code, stdout, stderr }
  }
}

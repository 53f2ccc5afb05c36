/** One agent per data folder: two would write the same journal. */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  identifyProcess,
  isAlive,
  type ProcessIdentity,
  readBootId,
} from './run/process-identity.ts'

export type LockResult =
  | { readonly kind: 'locked'; readonly release: () => void }
  | { readonly kind: 'held'; readonly pid: number }

/** Takes the folder, unless another living agent has it. A lock that a crash left behind is replaced. */
export function lockFolder(folder: string): LockResult {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'agent.lock')
  const bootId = readBootId()
  const own = identifyProcess(process.pid, bootId) ?? { pid: process.pid, startTicks: '', bootId }
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 })
  try {
    const holder = readHolder(file)
    if (holder !== undefined) {
      if (isHolding(holder, bootId)) return { kind: 'held', pid: holder.pid }
      rmSync(file, { force: true })
    }
    return tryLink(draft, file)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** A link is made by one process only, however many try. */
function tryLink(draft: string, file: string): LockResult {
  try {
    linkSync(draft, file)
    return { kind: 'locked', release: () => rmSync(file, { force: true }) }
  } catch {
    return { kind: 'held', pid: readHolder(file)?.pid ?? 0 }
  }
}

function readHolder(file: string): ProcessIdentity | undefined {
  try {
    // Only lockFolder writes it, in one step.
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity
  } catch {
    return undefined
  }
}

/** Where there is no /proc the pid alone must do. */
function isHolding(holder: ProcessIdentity, bootId: string): boolean {
  if (holder.pid === process.pid) return false
  if (holder.startTicks !== '') return isAlive(holder, bootId)
  try {
    process.kill(holder.pid, 0)
    return true
  } catch {
    return false
  }
}

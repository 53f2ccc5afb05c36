/**
 * A file that says which process has a folder to itself.
 *
 * L1. The file holds a whole record or does not exist.
 * L2. A record of a process that has ended counts as none, also when its pid was given to another process.
 * L3. Two that find the same dead owner in the same instant may both win: what they lock must have a second guard
 *     (a port, PostgreSQL's own lock).
 */
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { readBootId, readProcessStat, readStartTicks } from './process-stat.ts'

interface Owner {
  readonly pid: number
  /** Tells two processes of the same pid apart; empty where the system does not say. */
  readonly start: string
}

/** What came of the try to take a lock. */
export type LockResult =
  | { readonly outcome: 'locked'; release(): void }
  | { readonly outcome: 'held'; readonly pid: number }

/** Takes the lock for this process, or says which living process has it. The folder must exist. */
export function takeLock(file: string): LockResult {
  const mine: Owner = { pid: process.pid, start: processStart(process.pid) }
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o600 })
  try {
    while (!isCreated(draft, file)) {
      const pid = lockHolder(file)
      if (pid !== undefined) return { outcome: 'held', pid }
      rmSync(file, { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
  return { outcome: 'locked', release: () => releaseOwn(file, mine) }
}

/** The living process that has the lock; undefined when nobody has it. */
export function lockHolder(file: string): number | undefined {
  const owner = readOwner(file)
  return owner !== undefined && isAlive(owner) ? owner.pid : undefined
}

/** True while a process of this pid runs, also one that we may not signal; an unreaped one does not run. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false
  }
  return readProcessStat(pid)[0] !== 'Z'
}

/** Links are made whole and never over an existing file (L1). */
function isCreated(draft: string, file: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function releaseOwn(file: string, mine: Owner): void {
  const owner = readOwner(file)
  if (owner?.pid === mine.pid && owner.start === mine.start) rmSync(file, { force: true })
}

function readOwner(file: string): Owner | undefined {
  try {
    const { pid, start } = JSON.parse(readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 && typeof start === 'string'
      ? { pid, start }
      : undefined
  } catch {
    return undefined
  }
}

function isAlive(owner: Owner): boolean {
  return isProcessAlive(owner.pid) && processStart(owner.pid) === owner.start
}

/** Boot and start time of a process where the system tells them, else empty. */
function processStart(pid: number): string {
  const startTicks = readStartTicks(pid)
  return startTicks === undefined ? '' : `${readBootId()}/${startTicks}`
}

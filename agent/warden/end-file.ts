/**
 * How an attempt ended, in a file of its folder: known even when no agent was there to be told.
 *
 * F1. `end.json` is whole, or not there; a durable one is on the disk.
 * F2. Its room is taken before the attempt begins: a disk that the attempt fills up cannot keep its end from being written.
 */
import { constants } from 'node:fs'
import { open, readFile, rename } from 'node:fs/promises'
import { attemptFolder } from './attempt-folder.ts'
import type { ProcessEnd } from './messages.ts'

/** A reason of 1,000 characters is the longest text in it, and no character takes more than 6 bytes. */
const RESERVE_BYTES = 8 * 1024
const REASON_LENGTH_MAX = 1_000

/** Takes the room for the end (F2). Rejects when there is none. */
export async function reserveEnd(attemptsDir: string, key: string): Promise<void> {
  const { endDraft } = attemptFolder(attemptsDir, key)
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW
  const handle = await open(endDraft, flags, 0o600)
  try {
    await handle.write(Buffer.alloc(RESERVE_BYTES, ' '))
  } finally {
    await handle.close()
  }
}

export interface EndPlace {
  readonly attemptsDir: string
  readonly key: string
  /** On the disk when `writeEnd` resolves. */
  readonly isDurable: boolean
}

/** Written over the reserve and renamed; a durable one is synced before, and its folder after. */
export async function writeEnd(
  { attemptsDir, isDurable, key }: EndPlace,
  end: ProcessEnd,
): Promise<void> {
  const { end: file, endDraft, folder } = attemptFolder(attemptsDir, key)
  const text = JSON.stringify(shortened(end))
  const handle = await open(endDraft, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW)
  try {
    await handle.write(Buffer.from(text.padEnd(RESERVE_BYTES)), 0, undefined, 0)
    if (isDurable) await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(endDraft, file)
  if (isDurable) await syncFolder(folder)
}

/** Undefined when there is none. */
export async function readEnd(attemptsDir: string, key: string): Promise<ProcessEnd | undefined> {
  try {
    // Only writeEnd writes it, and F1.
    return JSON.parse(await readFile(attemptFolder(attemptsDir, key).end, 'utf8')) as ProcessEnd
  } catch {
    return undefined
  }
}

function shortened(end: ProcessEnd): ProcessEnd {
  const { cause, exit } = end
  return {
    ...end,
    exit: 'message' in exit ? { ...exit, message: shortText(exit.message) } : exit,
    cause:
      cause !== undefined && 'reason' in cause
        ? { ...cause, reason: shortText(cause.reason) }
        : cause,
  }
}

function shortText(text: string): string {
  return text.slice(0, REASON_LENGTH_MAX).toWellFormed()
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

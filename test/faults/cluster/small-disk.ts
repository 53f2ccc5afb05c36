/** A disk in memory that can be filled to the last byte. Needs root. */
import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const FILLER = 'filler'
const PIECE_BYTES = 1024 * 1024

/** Why there can be none here. */
export function noSmallDisk(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'mounting a small disk needs root'
}

/** Makes `folder` one; the reaper unmounts it. */
export async function mountSmallDisk(folder: string, sizeBytes: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0711`, 'tmpfs', folder])
  chmodSync(folder, 0o711)
}

/** Writes until nothing more fits. */
export function fillDisk(folder: string): void {
  const file = openSync(join(folder, FILLER), 'a')
  try {
    for (let size = PIECE_BYTES; size >= 1; ) {
      try {
        writeSync(file, Buffer.alloc(size))
      } catch {
        size = Math.floor(size / 4)
      }
    }
  } finally {
    closeSync(file)
  }
}

export function freeDisk(folder: string): void {
  rmSync(join(folder, FILLER), { force: true })
}

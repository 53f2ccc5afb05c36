/** A wall clock for one process, set through a file while it runs; its monotonic clock stays the host's. */
import { existsSync, writeFileSync } from 'node:fs'

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib64/faketime/libfaketime.so.1',
  '/usr/lib/faketime/libfaketime.so.1',
]

/** Why there can be none here. */
export function noOwnClocks(): string | undefined {
  return findLibrary() === undefined ? 'libfaketime is not installed' : undefined
}

function findLibrary(): string | undefined {
  return LIBRARIES.find((file) => existsSync(file))
}

/** What a process must be started with to read the clock of `file`. */
export function ownClock(file: string): Readonly<Record<string, string>> {
  setClock(file, 0)
  return {
    LD_PRELOAD: findLibrary() ?? '',
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_NO_CACHE: '1',
  }
}

/** `shiftSeconds` away from the host's clock. */
export function setClock(file: string, shiftSeconds: number): void {
  writeFileSync(file, `${shiftSeconds < 0 ? '' : '+'}${shiftSeconds}s\n`)
}

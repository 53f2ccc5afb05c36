/**
 * Where scenarios run: a folder, and everything that must be gone afterwards.
 *
 * S1. However this process ends, nothing that a scenario started outlives it: the last resort is a process of its own
 *     that kills what works below the folder and removes it.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startReaper } from '../test/faults/cluster/reaper.ts'
import { makeTemporaryFolder } from '../test/support/temporary-folder.ts'
import type { BenchOptions } from './options.ts'

export interface Stage {
  readonly folder: string
  readonly options: BenchOptions
  /** Where profiles of the processes go; undefined: none are made. */
  readonly profileFolder: string | undefined
  /** One line for whoever waits. */
  say(line: string): void
  /** True when no other round should begin: a quick run ends in time. */
  isLate(): boolean
  /** Called once at the end, the last one first. */
  onEnd(cleanup: () => Promise<void>): void
  /** Safe to call twice; the second call waits for the first. */
  close(): Promise<void>
}

/** A quick scenario takes a minute at most; its last round and the end of its processes take some of it. */
const QUICK_MS = 35_000

export async function openStage(
  options: BenchOptions,
  say: (line: string) => void,
  profileFolder?: string,
): Promise<Stage> {
  const beganMs = performance.now()
  const temporary = await makeTemporaryFolder()
  const folder = join(temporary.path, 'bench')
  await mkdir(folder, { mode: 0o711 })
  const reaper = startReaper(folder)
  const cleanups: (() => Promise<void>)[] = []
  let closing: Promise<void> | undefined
  const close = async () => {
    for (const cleanup of cleanups.splice(0).reverse()) {
      // What cannot be stopped in order, the reaper ends.
      await cleanup().catch((error: unknown) => say(`while stopping: ${String(error)}`))
    }
    await reaper.reap()
    await temporary.remove()
  }
  return {
    folder,
    options,
    profileFolder,
    say,
    isLate: () => options.isQuick && performance.now() - beganMs > QUICK_MS,
    onEnd: (cleanup) => void cleanups.push(cleanup),
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** Stops an attempt that runs too long or writes too much. */
import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '../../shared/clock.ts'
import type { StopSwitch } from './stop-switch.ts'

/** What one attempt may write to disk, both outputs together, in bytes. */
const OUTPUT_BYTES_MAX = 1024 * 1024 * 1024
/** Also how far ahead a timeout is timed: timers cannot wait for months. */
const LOOK_MS = 1_000

export interface AttemptLimits {
  readonly clock: Clock
  readonly stop: StopSwitch
  /** Undefined: as long as it likes. */
  readonly timeoutMs: number | undefined
  readonly killGraceMs: number
  readonly outputFiles: readonly string[]
}

/** Watches until the answer is called. */
export function watchLimits(limits: AttemptLimits): () => void {
  const { clock, killGraceMs, outputFiles, stop, timeoutMs = Number.POSITIVE_INFINITY } = limits
  if (limits.timeoutMs === undefined && outputFiles.length === 0) return () => {}
  const endMs = clock.monotonicMs() + timeoutMs
  let timer: Timer | undefined
  let isWatching = true
  const look = async () => {
    if (clock.monotonicMs() >= endMs) stop.request({ kind: 'timeout', timeoutMs }, killGraceMs)
    if ((await sizeOf(outputFiles)) > OUTPUT_BYTES_MAX) {
      stop.request({ kind: 'output_limit', limitBytes: OUTPUT_BYTES_MAX }, killGraceMs)
    }
    if (stop.cause === undefined && isWatching) lookLater()
  }
  const lookLater = () => {
    timer = clock.after(Math.min(LOOK_MS, endMs - clock.monotonicMs()), () => void look())
  }
  lookLater()
  return () => {
    isWatching = false
    timer?.cancel()
  }
}

async function sizeOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        (stats) => stats.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

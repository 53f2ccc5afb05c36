/** Stops an attempt that runs too long or writes too much. */
import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '../../shared/clock.ts'
import type { StopSwitch } from './stop-switch.ts'

/** What one attempt may write to disk, both outputs together, in bytes. */
const OUTPUT_BYTES_MAX = 1024 * 1024 * 1024
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
  const { clock, killGraceMs, outputFiles, stop, timeoutMs } = limits
  const deadline =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs, () => stop.request({ kind: 'timeout', timeoutMs }, killGraceMs))
  let isWatching = true
  let look: Timer | undefined
  const lookLater = () => {
    look = clock.after(LOOK_MS, () => void lookNow())
  }
  const lookNow = async () => {
    const sizes = await Promise.all(outputFiles.map(sizeOf))
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    if (bytes > OUTPUT_BYTES_MAX) {
      stop.request({ kind: 'output_limit', limitBytes: OUTPUT_BYTES_MAX }, killGraceMs)
    } else if (isWatching) lookLater()
  }
  lookLater()
  return () => {
    isWatching = false
    deadline?.cancel()
    look?.cancel()
  }
}

function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    (stats) => stats.size,
    () => 0,
  )
}

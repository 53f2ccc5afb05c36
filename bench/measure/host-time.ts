import { sleep, systemClock } from '../../shared/clock.ts'

/** Milliseconds of the clock that all processes of this host share, and that never jumps. */
export function hostMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Sleeps in measurements are parts of what is measured, such as the pause between two samples. */
export function sleepMs(ms: number): Promise<void> {
  return sleep(systemClock, ms)
}

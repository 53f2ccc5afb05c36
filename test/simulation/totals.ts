/** Sums over many runs, and how they are shown. */
import { CHECKED, NOT_SIMULATED } from './invariants.ts'
import type { WorkerResult } from './run-many.ts'

export class Totals {
  seeds = 0
  simulatedMs = 0
  cpuMs = 0
  events = 0
  executions = 0
  faultCount = 0
  readonly faults = new Map<string, number>()
  readonly checked = new Map<number, number>()

  add(
    result: Pick<
      WorkerResult,
      'simulatedMs' | 'cpuMs' | 'events' | 'executions' | 'faults' | 'checked'
    >,
  ): void {
    this.seeds += 1
    this.simulatedMs += result.simulatedMs
    this.cpuMs += result.cpuMs
    this.events += result.events
    this.executions += result.executions
    for (const [kind, count] of result.faults) {
      this.faultCount += count
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count)
    }
    for (const [invariant, count] of result.checked) {
      this.checked.set(invariant, (this.checked.get(invariant) ?? 0) + count)
    }
  }

  /** Invariants that nobody has looked at: as good as broken. */
  unchecked(): number[] {
    return Object.keys(CHECKED)
      .map(Number)
      .filter((invariant) => (this.checked.get(invariant) ?? 0) === 0)
  }

  /** Against the clock on the wall, and against the time of one core. */
  progress(realMs: number): string {
    const hours = (this.simulatedMs / 3_600_000).toFixed(1)
    const seconds = (realMs / 1_000).toFixed(0)
    const factor = Math.round(this.simulatedMs / realMs)
    const perCore = Math.round(this.simulatedMs / this.cpuMs)
    return `${this.seeds} seeds, ${hours} h simulated in ${seconds} s: ${factor} x real time, ${perCore} x per core, ${this.faultCount} faults, ${this.executions} attempts`
  }

  summary(realMs: number): string {
    const perHour = Math.round(this.faultCount / (this.simulatedMs / 3_600_000))
    const lines = [
      `faults (${perHour} per simulated hour)`,
      ...[...this.faults]
        .sort((a, b) => b[1] - a[1])
        .map(([kind, count]) => `${pad(count)}  ${kind}`),
      'invariants looked at',
      ...Object.entries(CHECKED).map(([number, text]) => {
        return `${pad(this.checked.get(Number(number)) ?? 0)}  ${number.padStart(2)} ${text}`
      }),
      `not simulated: ${NOT_SIMULATED.join(', ')}`,
      this.progress(realMs),
    ]
    return lines.join('\n')
  }
}

function pad(count: number): string {
  return String(count).padStart(9)
}

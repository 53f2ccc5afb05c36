/** The recurrences of a schedule as the rules that stand behind them, and as the text of those rules. */
import type { Recurrence } from '../../proto/gen/rota/v1/job.ts'
import { durationToMs, exactDuration } from '../duration.ts'
import { readRules, type ScheduleRule } from './rule-text.ts'

/** None of a recurrence that cannot be read; sentences must have been compiled. */
export function rulesOf({ kind, compiled, phase }: Recurrence): readonly ScheduleRule[] {
  switch (kind?.$case) {
    case 'cron':
    case 'text': {
      const reading = readRules(kind.$case === 'cron' ? kind.value : compiled)
      return reading.kind === 'rules' ? reading.rules : []
    }
    case 'every':
      return [{ kind: 'every', everyMs: durationToMs(kind.value), phaseMs: durationToMs(phase) }]
    case 'at':
      return [{ kind: 'at', atMs: kind.value.getTime() }]
    case undefined:
      return []
  }
}

/** As it could be written in `cron`: cron, `@every 90s`, `@at 2026-12-24T18:00:00Z`. */
export function ruleTextOf({ kind, compiled, phase }: Recurrence): string {
  switch (kind?.$case) {
    case 'cron':
      return kind.value.trim()
    case 'text':
      return compiled
    case 'every': {
      const behind = phase === undefined ? '' : ` phase ${exactDuration(durationToMs(phase))}`
      return `@every ${exactDuration(durationToMs(kind.value))}${behind}`
    }
    case 'at':
      return `@at ${kind.value.toISOString().replace('.000Z', 'Z')}`
    case undefined:
      return ''
  }
}
